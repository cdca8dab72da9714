"""A TOML file with the place of every value, and with every mistake, not only the first.

Two parsers are asked. `tomllib` says what is TOML and what a value is; `tree-sitter` says where things stand, and
goes on after a mistake. Whatever the second thinks of a file that the first takes, the file is sound.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ndfd.config.toml_tree import Damage, Header, Leaf, Path, Position, Tree, parse

#: A configuration has a few kilobytes; the parsers take seconds for the worst file of this size.
MAX_BYTES = 64 * 1024
#: Nobody reads further.
MAX_FAULTS = 50

_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

_NOT_CLOSED = ("the array is not closed with ]", "the inline table is not closed with }", "the string is not closed")
_NO_VALUE = re.compile(r"[^=#'\"]*=\s*(#.*)?")
_NUMERIC = re.compile(r"[^=#'\"]*=\s*[+-]?[0-9][0-9A-Za-z_:.+-]*\s*(#.*)?")

#: What tomllib says, and what an operator can do with. Nothing of the file's text is in either.
_PLAIN = (
    ("Expected '=' after a key", "expected = after the key"),
    ("Expected ']", "the table header is not closed with ]"),
    ("Expected newline or end of document", "more follows after the value, which must end its line"),
    ("Invalid statement", "neither a key with a value nor a table header"),
    ("Invalid initial character for a key", "expected a key"),
    ("Unescaped '\\'", "a backslash begins an escape that does not exist: write \\\\, or use '…'"),
    ("Invalid hex value", "a backslash begins an escape that is not finished"),
    ("Escaped character is not", "a backslash begins an escape of no character"),
    ("Unterminated string", "the string is not closed"),
    ('Expected "\'"', "the string is not closed"),
    ("Illegal character '\\n'", "the string is not closed on its line"),
    ("Illegal character", "a control character, which must be written as an escape"),
    ("Found invalid character", "a control character, which must be written as an escape"),
    ("Unclosed array", "the array is not closed with ]"),
    ("Unclosed inline table", "the inline table is not closed with }"),
    ("Invalid value", "not a value: text goes in quotes"),
    ("Invalid date or datetime", "there is no such date or time"),
    ("Cannot overwrite a value", "is set twice"),
    ("Duplicate inline table key", "is set twice"),
    ("Cannot declare", "the table is declared twice, or is a value elsewhere"),
    ("Cannot mutate immutable namespace", "a table that is closed already is added to"),
    ("Cannot redefine namespace", "the table is declared twice, or is a value elsewhere"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A value: anything but a table, which is walked into, unless it is empty."""

    #: The keys that lead to it; an integer counts the elements of an array of tables from 0.
    path: Path
    value: Any
    key: Position
    position: Position


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not TOML."""

    position: Position
    message: str
    #: Of the value that it is about.
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class TomlFile:
    """What a file says."""

    entries: tuple[Entry, ...]
    #: Empty for a sound file, and for no other.
    faults: tuple[Fault, ...] = ()
    #: The place of the name in each table header.
    headers: tuple[tuple[Path, Position], ...] = ()


def read_toml(data: bytes) -> TomlFile:
    """Reads a file; of one with faults, everything that is sound."""
    if len(data) > MAX_BYTES:
        return TomlFile((), (Fault(Position(1, 1), f"the file is larger than {MAX_BYTES} bytes"),))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        position = Position(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        return TomlFile((), (Fault(position, "the bytes from here on are not UTF-8"),))
    if text.startswith("\ufeff"):
        return TomlFile((), (Fault(Position(1, 1), "the file begins with a byte order mark: save it as plain UTF-8"),))
    text = text.replace("\r\n", "\n")
    refused = _refused(text)
    reader = _Reader()
    reader.read(text, recover=refused is not None)
    if refused is None:
        # A file that is sound, although the tree's grammar may not know all that is TOML.
        entries = _without_places(tomllib.loads(text), text) if reader.faults else reader.entries
        return TomlFile(tuple(entries), (), tuple(reader.headers))
    faults = sorted(reader.faults, key=lambda fault: (fault.position.line, fault.position.column)) or [refused]
    return TomlFile(tuple(reader.entries), tuple(faults[:MAX_FAULTS]), tuple(reader.headers))


class _Reader:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.faults: list[Fault] = []
        self.headers: list[tuple[Path, Position]] = []
        #: Where each value and each table was first written.
        self._values: dict[Path, Position] = {}
        self._tables: dict[Path, Position] = {}

    def read(self, text: str, *, recover: bool) -> None:
        tree = parse(text)
        while tree.damage is not None and len(self.faults) < MAX_FAULTS:
            if not recover:
                self.faults.append(Fault(tree.damage.position, "unknown to the tree"))
                return
            text = self._mend(text, tree.damage)
            tree = parse(text)
        self._take(tree)

    def _mend(self, text: str, damage: Damage) -> str:
        """Notes the damage, and gives the text without the lines that hold it; the others keep their numbers."""
        lines = text.split("\n")
        position, last = damage.position, damage.position.line - 1
        said, alone = _refused(text), _refused(lines[last])
        if said is not None and said.message in _NOT_CLOSED and said.position.line > position.line:
            # Found only where something came that cannot stand in it.
            self.faults.append(Fault(position, said.message))
            last = said.position.line - 2
        elif alone is None and damage.inside is not None and damage.inside.line < position.line:
            # The line itself is sound: what it stands in should have been closed before.
            position, last = damage.inside, last - 1
            self.faults.append(Fault(position, f"the {damage.inside_of} is not closed"))
        elif alone is None:
            self.faults.append(Fault(position, "not TOML"))
        else:
            column = position.column if alone.position.column == 1 else alone.position.column
            self.faults.append(Fault(Position(position.line, column), _in_line(lines[last]) or alone.message))
        for number in range(position.line - 1, last + 1):
            # A header that is damaged is still the header of what follows.
            header = re.match(r"\s*\[\s*([A-Za-z0-9_-]+)", lines[number])
            mended = f"[{header[1]}]" if header else ""
            lines[number] = mended if mended != lines[number] else ""
        return "\n".join(lines)

    def _take(self, tree: Tree) -> None:
        for item in tree.items:
            if isinstance(item, Header):
                self._header(item)
            else:
                self._leaf(item)

    def _header(self, header: Header) -> None:
        self.headers.append((header.path, header.position))
        first = self._tables.setdefault(header.path, header.position)
        if first is not header.position:
            name = ".".join(map(str, header.path))
            self.faults.append(
                Fault(header.position, f"the table [{name}] is declared twice, first in line {first.line}")
            )
        elif header.path in self._values:
            line = self._values[header.path].line
            self.faults.append(Fault(header.position, f"is a value already, in line {line}", header.path))

    def _leaf(self, leaf: Leaf) -> None:
        for length in range(1, len(leaf.path) + 1):
            if (first := self._values.get(leaf.path[:length])) is not None:
                where = f"is set twice, first in line {first.line}"
                self.faults.append(Fault(leaf.key, where, leaf.path))
                return
        if leaf.text == "{}":
            self.entries.append(Entry(leaf.path, {}, leaf.key, leaf.position))
            return
        self._values[leaf.path] = leaf.key
        fault = _refused(f"v = {leaf.text}")
        if fault is not None:
            self.faults.append(Fault(leaf.position, fault.message, leaf.path))
            return
        value = tomllib.loads(f"v = {leaf.text}")["v"]
        self.entries.append(Entry(leaf.path, value, leaf.key, leaf.position))


def _in_line(line: str) -> str | None:
    """What is wrong with a line whose mistake tomllib finds behind it, or calls something else."""
    if _NO_VALUE.fullmatch(line):
        return "there is no value after ="
    if _NUMERIC.fullmatch(line):
        return "not a number, date or time as TOML writes them"
    return None


def _refused(text: str) -> Fault | None:
    """Why tomllib refuses the text; None when it takes it."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        at = _AT.search(said)
        plain = next((plain for begin, plain in _PLAIN if said.startswith(begin)), said[: at.start()] if at else said)
        if at is None or at[1] is None:
            return Fault(Position(text.count("\n") + 1, 1), plain)
        return Fault(Position(int(at[1]), int(at[2])), plain)
    except RecursionError:
        return Fault(Position(1, 1), "arrays or tables are nested too deeply")
    except ValueError:
        # A number beyond what Python turns into one (sys.set_int_max_str_digits), or a date that there is not.
        return Fault(Position(1, 1), "there is no such number, date or time")
    return None


def _without_places(document: dict[str, Any], text: str) -> Iterator[Entry]:
    """The values of a sound document, each at the first line that begins with its key."""
    pending: list[tuple[Path, Any]] = [((), document)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict) and (value or not path):
            pending += [((*path, key), child) for key, child in reversed(value.items())]
        elif isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            pending += [((*path, number), child) for number, child in reversed(list(enumerate(value)))]
        else:
            position = _search(str(path[-1]), text)
            yield Entry(path, value, position, position)


def _search(key: str, text: str) -> Position:
    found = re.search(rf"^[ \t]*(['\"]?){re.escape(key)}\1\s*[=.\]]", text, re.MULTILINE)
    return Position(1 if found is None else text.count("\n", 0, found.start()) + 1, 1)
