"""Names of files: those that results get, and those that a watch folder leaves alone. Pure."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

from ndfd.config.watch_conflicts import ERROR_SUFFIX
from ndfd.model.printable import printable

__all__ = ["ERROR_SUFFIX", "OutputName", "is_wanted", "safe_stem", "shown_name", "stored_path", "taken_path"]

#: NAME_MAX of Linux and macOS, in bytes; Windows counts 255 UTF-16 units.
_NAME_MAX_BYTES = 255

#: Names that programs give to what they are still writing, or keep for themselves.
_TEMPORARY = (".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".download", ".swp", "~")

#: Reserved by file systems of Windows, which may be mounted anywhere; and what moves between folders.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*/\\]')
#: Names of devices on Windows, whatever follows the first dot.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class OutputName:
    """The name of a file that is put somewhere: `stem` and `suffix`, or, where that is taken, with a number between."""

    stem: str
    suffix: str

    def plain(self) -> str:
        """The one that is tried first."""
        return _cut(self.stem, self.suffix) + self.suffix

    def numbered(self, number: str) -> str:
        """The one for when another file has that."""
        return _cut(self.stem, f"-{number}{self.suffix}") + f"-{number}{self.suffix}"


def safe_stem(name: str | None, otherwise: str) -> str:
    """What a result is called after a document's name, which anybody may have chosen: no path, no hidden file."""
    last = re.split(r"[/\\]", name or "")[-1]
    stem, dot, _ = last.rpartition(".")
    plain = _UNSAFE.sub("_", printable(stem if dot else last)).lstrip(". ").rstrip(". ")
    return otherwise if not plain or _DEVICES.fullmatch(plain) else plain


def is_wanted(name: str, pattern: str) -> bool:
    """Whether a watch with this pattern takes a file of this name."""
    folded = name.casefold()
    return not (folded.startswith((".", "~$")) or folded.endswith(_TEMPORARY)) and fnmatch.fnmatchcase(
        folded, pattern.casefold()
    )


def stored_path(path: str) -> str:
    """A path as the store, which keeps text, has it: bytes of it that are no UTF-8, and %, as % and two digits."""
    return "".join(
        f"%{ord(each) - 0xDC00:02X}" if "\udc80" <= each <= "\udcff" else each for each in path.replace("%", "%25")
    )


def taken_path(stored: str) -> str:
    """The path that `stored_path` was given."""
    return re.sub(r"%([0-9A-F]{2})", _decoded, stored)


def shown_name(path: str) -> str:
    """A path as text for messages and records: bytes that are no UTF-8 become U+FFFD, control characters escapes."""
    return printable(path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _decoded(match: re.Match[str]) -> str:
    byte = int(match[1], 16)
    return chr(byte) if byte < 0x80 else chr(0xDC00 + byte)


def _cut(stem: str, rest: str) -> str:
    """So much of the stem that the whole is a name, with no half character at the end."""
    room = _NAME_MAX_BYTES - len(rest.encode("utf-8", "surrogateescape"))
    data = stem.encode("utf-8", "surrogateescape")
    if len(data) <= room:
        return stem
    while room > 0 and data[room] & 0xC0 == 0x80:
        room -= 1
    return data[:room].decode("utf-8", "surrogateescape")
