"""A TOML file with the place of every value, and with every mistake, not only the first.

Two parsers are asked. `tomllib` says what is TOML, what a value is and what is wrong; `tree-sitter` says where the
values stand. Where the grammar of the second does not know what the first takes, the file is sound all the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ndfd.config.toml_recovery import MAX_FAULTS, Fault, Recovery
from ndfd.config.toml_refusal import TOO_DEEP, Refusal, parsed, position_of, unfinished
from ndfd.config.toml_statements import Entry, Statements
from ndfd.config.toml_tree import Path, Position, parse

__all__ = ["MAX_BYTES", "MAX_FAULTS", "Entry", "Fault", "Position", "TomlFile", "read_toml"]

#: A configuration has a few kilobytes.
MAX_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class TomlFile:
    """What a file says."""

    entries: tuple[Entry, ...]
    #: In the order of the file; empty for a sound file, and for no other.
    faults: tuple[Fault, ...] = ()
    #: The place of the name in each table header.
    headers: tuple[tuple[Path, Position], ...] = ()


def read_toml(data: bytes) -> TomlFile:
    """Reads a file; of one with faults, everything that is sound. Never raises."""
    if len(data) > MAX_BYTES:
        return _one_fault(Position(1, 1), f"the file is larger than {MAX_BYTES} bytes")
    try:
        # A carriage return alone is as wrong as any control character; tomllib must not see \r before \n again.
        text = data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\x01")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        return _one_fault(position_of(before, len(before)), "the bytes from here on are not UTF-8")
    if text.startswith("\ufeff"):
        return _one_fault(Position(1, 1), "the file begins with a byte order mark: save it as plain UTF-8")
    if (deep := unfinished(text).too_deep) is not None:
        return _one_fault(position_of(text, deep), TOO_DEEP)
    document = parsed(text)
    return _refused(text, document) if isinstance(document, Refusal) else _sound(text, document)


def _one_fault(position: Position, message: str) -> TomlFile:
    return TomlFile((), (Fault(position, message),))


def _sound(text: str, document: dict[str, Any]) -> TomlFile:
    statements = Statements(parse(text) or ())
    arrays = {path[:-1] for path, _ in statements.headers if isinstance(path[-1], int)}
    if _say_all(statements.entries, _leaves(document, lambda path: path in arrays)):
        return TomlFile(tuple(statements.entries), (), tuple(statements.headers))
    return TomlFile(tuple(_without_places(document, text)))


def _refused(text: str, refusal: Refusal) -> TomlFile:
    recovery = Recovery(text)
    if len(recovery.faults) == MAX_FAULTS:
        return TomlFile((), tuple(recovery.faults))
    statements = Statements(parse(recovery.text) or (), recovery.mended)
    statements.check_together(recovery.lines)
    faults = recovery.faults + statements.faults or [Fault(refusal.position, refusal.message)]
    faults.sort(key=lambda fault: (fault.position.line, fault.position.column))
    return TomlFile(tuple(statements.entries), tuple(faults[:MAX_FAULTS]), tuple(statements.headers))


def _leaves(document: dict[str, Any], is_array_of_tables: Callable[[Path], bool]) -> Iterator[tuple[Path, Any]]:
    pending: list[tuple[Path, Any]] = [((), document)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict) and (value or not path):
            pending += [((*path, key), child) for key, child in reversed(value.items())]
        elif isinstance(value, list) and value and isinstance(value[0], dict) and is_array_of_tables(path):
            pending += [((*path, number), child) for number, child in reversed(list(enumerate(value)))]
        else:
            yield path, value


def _say_all(entries: list[Entry], leaves: Iterator[tuple[Path, Any]]) -> bool:
    """Whether the entries are the leaves, and besides only tables that have further statements elsewhere."""
    left = {entry.path: entry.value for entry in entries}
    if not all(path in left and _same(left.pop(path), value) for path, value in leaves):
        return False
    return all(value == {} for value in left.values())


def _same(one: Any, other: Any) -> bool:
    """Equality in which a number that is none equals itself."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other or (one != one and other != other))


def _without_places(document: dict[str, Any], text: str) -> Iterator[Entry]:
    """The values of a sound document, each at the first line that begins with its key."""

    def is_array_of_tables(path: Path) -> bool:
        return re.search(rf"^[ \t]*\[\[[^\n]*{re.escape(str(path[-1]))}", text, re.MULTILINE) is not None

    for path, value in _leaves(document, is_array_of_tables):
        position = _search(str(path[-1]), text)
        yield Entry(path, value, position, position)


def _search(key: str, text: str) -> Position:
    found = re.search(rf"^[ \t]*\[*[ \t]*(?:[^=#\n]*\.[ \t]*)?(['\"]?){re.escape(key)}\1\s*[=.\]]", text, re.MULTILINE)
    return Position(1 if found is None else text.count("\n", 0, found.start()) + 1, 1)
