"""The host's fonts in memory, so that a process that may open no file still has them.

PDFium scans the font folders once, and opens a font's file when a document needs it. Here the files are found again,
each is tied to the fonts that PDFium knows from it, and those that fit are handed to PDFium; the rest is from then on
as if it were not installed. Which font stands in for which stays PDFium's decision. Both implementations use this; a
`FontEngine` is what differs.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

#: Files held at most: each is a mapping, which every fork copies (512 of them: 0.4 ms).
FILES_MAX = 512

#: What PDFium's scan takes for a font.
_SUFFIXES = (".ttf", ".ttc", ".otf")

# FXFONT_*_CHARSET, FXFONT_FF_* and FXFONT_FW_* of PDFium's fpdf_sysfontinfo.h
_ANSI, _SYMBOL, _SHIFT_JIS, _HANGUL, _GB2312, _BIG5 = 0, 2, 128, 129, 134, 136
_PITCHES = (0, 16, 1, 17)  # any, serif, fixed, both
_WEIGHTS = (400, 700)

#: Names that PDFium tells cuts apart by: of Japanese, and of the fonts that every reader has (ISO 32000-2, 9.6.2.2).
_JAPANESE = (b"", b"PGothic", b"Gothic", b"PMincho", b"Mincho")
_STANDARD = tuple(
    f"{family}{style}".encode()
    for family, styles in (
        ("Helvetica", ("", "-Bold", "-Oblique", "-BoldOblique")),
        ("Times", ("-Roman", "-Bold", "-Italic", "-BoldItalic")),
        ("Courier", ("", "-Bold", "-Oblique", "-BoldOblique")),
    )
    for style in styles
)


class HeldFonts(NamedTuple):
    """What is in memory."""

    files: int  #: number of font files
    size_bytes: int  #: of address space that they take
    left_out: tuple[str, ...]  #: paths of the fonts that did not fit, most wanted first; PDFium does not use them


class HeldFont(NamedTuple):
    """A font as it is handed to PDFium."""

    font: int  #: PDFium's handle
    name: bytes  #: as PDFium knows it
    data: memoryview  #: the whole file
    in_collection: bool


class FontEngine(Protocol):
    """PDFium's own font information, and the place for another's."""

    def open(self, path: str) -> memoryview | None:
        """A file's bytes; None when it cannot be read."""

    def named(self, name: bytes) -> int:
        """The handle of the font of this name; 0: there is none."""

    def chosen(self, weight: int, italic: bool, charset: int, pitch: int, name: bytes) -> int:
        """The handle of the font that stands in; 0: there is none."""

    def file_size(self, font: int) -> int:
        """Bytes of the font's file."""

    def table(self, font: int, tag: int) -> bytes:
        """A table of the font, read from its file."""

    def serve(self, fonts: Sequence[HeldFont]) -> None:
        """From here on these are all the fonts there are, and no file is opened."""


class _File(NamedTuple):
    path: str
    size: int
    fonts: tuple[HeldFont, ...]


def hold(engine: FontEngine, folders: Sequence[str], bytes_max: int) -> HeldFonts:
    """Takes the fonts under `folders` into memory: those that stand in for others first, then the smallest first."""
    files = list(_known_files(engine, folders))
    rank = _stand_ins(engine)
    files.sort(key=lambda file: (min(rank.get(font.font, len(rank)) for font in file.fonts), file.size, file.path))
    taken: list[_File] = []
    left_out: list[str] = []
    size = 0
    for file in files:
        if size + file.size <= bytes_max and len(taken) < FILES_MAX:
            taken.append(file)
            size += file.size
        else:
            left_out.append(file.path)
    engine.serve([font for file in taken for font in file.fonts])
    return HeldFonts(len(taken), size, tuple(left_out))


def _stand_ins(engine: FontEngine) -> dict[int, int]:
    """The rank of each font that PDFium takes for a script or a standard font: plain ones first."""
    found: dict[int, int] = {}
    for weight in _WEIGHTS:
        for italic in (False, True):
            for pitch in _PITCHES:
                for charset in (_GB2312, _BIG5, _SHIFT_JIS, _HANGUL, _SYMBOL):
                    for name in _JAPANESE if charset == _SHIFT_JIS else (b"",):
                        found.setdefault(engine.chosen(weight, italic, charset, pitch, name), len(found))
    for name in _STANDARD:
        found.setdefault(engine.chosen(400, False, _ANSI, 0, name), len(found))
    return found


def _known_files(engine: FontEngine, folders: Sequence[str]) -> Iterator[_File]:
    """The files that PDFium knows a font from."""
    tied: set[int] = set()
    for path in _paths(folders):
        data = engine.open(path)
        if data is None:
            continue
        fonts = tuple(_fonts(engine, data, tied))
        if fonts:
            tied.update(font.font for font in fonts)
            yield _File(path, len(data), fonts)


def _paths(folders: Sequence[str]) -> Iterator[str]:
    """The files that PDFium's scan looks at. Links are followed, each folder once."""
    seen: set[tuple[int, int]] = set()
    for root in folders:
        for folder, subfolders, names in os.walk(root, followlinks=True):
            try:
                status = Path(folder).stat()
            except OSError:
                continue
            if (status.st_dev, status.st_ino) in seen:
                subfolders.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            yield from (f"{folder}/{name}" for name in sorted(names) if name.lower().endswith(_SUFFIXES))


def _fonts(engine: FontEngine, file: memoryview, tied: set[int]) -> Iterator[HeldFont]:
    """The fonts in a file, where PDFium knows them from this very file: another may bear the same name."""
    try:
        for start in _starts(file):
            tables = _tables(file, start)
            name = _face_name(tables[b"name"])
            font = engine.named(name) if name and b"\0" not in name else 0
            if not font or font in tied or engine.file_size(font) != len(file):
                continue
            # This table holds a sum over the whole font.
            if engine.table(font, int.from_bytes(b"head", "big")) == tables[b"head"]:
                yield HeldFont(font, name, file, start > 0)
    except (struct.error, KeyError):
        return  # Damaged: PDFium knows no font from here on either.


def _starts(file: memoryview) -> tuple[int, ...]:
    """Where the file's fonts begin: at 0, or where a collection says (OpenType specification, "Font Collections")."""
    if bytes(file[:4]) != b"ttcf":
        return (0,)
    (count,) = struct.unpack_from(">I", file, 8)
    return struct.unpack_from(f">{count}I", file, 12) if count <= len(file) // 4 else ()


def _tables(file: memoryview, start: int) -> dict[bytes, bytes]:
    """The tables "name" and "head" of the font that begins there (OpenType specification, "Table Directory")."""
    (count,) = struct.unpack_from(">4xH6x", file, start)
    found: dict[bytes, bytes] = {}
    for i in range(count):
        tag, offset, size = struct.unpack_from(">4s4xII", file, start + 12 + 16 * i)
        if tag in (b"name", b"head"):
            found[tag] = bytes(file[offset : offset + size])
    return found


def _face_name(names: bytes) -> bytes:
    """What PDFium calls the font: its family, and its style unless that is Regular."""
    family, style = _name(names, 1), _name(names, 2)
    return family if not family or style == b"Regular" else family + b" " + style


def _name(names: bytes, wanted: int) -> bytes:
    """The first such name that is in Mac Roman, as it is, or in Unicode for Windows, as UTF-8 (OpenType, "name")."""
    count, strings = struct.unpack_from(">2xHH", names)
    for i in range(count):
        platform, encoding, number, size, offset = struct.unpack_from(">HH2xHHH", names, 6 + 12 * i)
        text = names[strings + offset : strings + offset + size]
        if number == wanted and (platform, encoding) == (1, 0):
            return text
        if number == wanted and (platform, encoding) == (3, 1):
            return text.decode("utf-16-be", "replace").encode()
    return b""
