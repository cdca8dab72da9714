"""The statements of a TOML text together: the values they give, and what cannot stand beside another."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from ndfd.config.toml_recovery import MAX_FAULTS, Fault
from ndfd.config.toml_refusal import Refusal, parsed
from ndfd.config.toml_tree import Header, Leaf, Path, Position

#: The characters that are read again, in all, for what only tomllib knows to be wrong: each such mistake needs all.
_MAX_READ_AGAIN = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """A value: anything but a table, which is walked into, unless it is empty."""

    #: The keys that lead to it; an integer counts the elements of an array of tables from 0.
    path: Path
    value: Any
    key: Position
    position: Position


class Statements:
    """Goes through headers and values in their order; the lines `mended` (from 1) are missing inside values."""

    def __init__(self, items: Sequence[Header | Leaf], mended: AbstractSet[int] = frozenset()) -> None:
        self.entries: list[Entry] = []
        self.faults: list[Fault] = []
        self.headers: list[tuple[Path, Position]] = []
        self._items = items
        self._mended = mended
        #: Where each value and each table was first written.
        self._values: dict[Path, Position] = {}
        self._tables: dict[Path, Position] = {}
        #: The statements with a fault, by their place in the items.
        self._spoiled: set[int] = set()
        #: Whether the header above is refused with all below it.
        self._closed = False
        for number, item in enumerate(items):
            fault = self._header(item) if isinstance(item, Header) else self._leaf(item)
            if fault is not None:
                self.faults.append(fault)
                self._spoiled.add(number)

    def check_together(self, lines: list[str]) -> None:
        """Has tomllib read the lines that are sound so far, again for each mistake that it still finds."""
        for number in self._spoiled:
            self._clear(lines, number)
        characters = sum(map(len, lines)) + 1
        for _ in range(max(1, min(MAX_FAULTS, _MAX_READ_AGAIN // characters))):
            refusal = parsed("\n".join(lines))
            if not isinstance(refusal, Refusal):
                return
            around = self._around(refusal.position.line)
            if around is None:
                self.faults.append(Fault(refusal.position, refusal.message))
                return
            item = self._items[around]
            first = next((each.key.line for each in self._items[:around] if _related(each.path, item.path)), None)
            where = "elsewhere" if first is None else f"in line {first}"
            self.faults.append(Fault(item.key, f"is declared already, {where}", _named(item.path)))
            cleared = self._clear(lines, around)
            self.entries = [entry for entry in self.entries if entry.key.line not in cleared]

    def _around(self, line: int) -> int | None:
        """The statement that the line is of."""
        return next((number for number, item in enumerate(self._items) if item.first <= line <= item.last), None)

    def _clear(self, lines: list[str], number: int) -> range:
        """Empties the lines of a statement; of a header, with all below it, which would be of the table before."""
        item = self._items[number]
        last = item.last
        if isinstance(item, Header):
            following = bisect.bisect_right(self.headers, item.first, key=lambda header: header[1].line)
            last = self.headers[following][1].line - 1 if following < len(self.headers) else len(lines)
        lines[item.first - 1 : last] = [""] * (last - item.first + 1)
        return range(item.first, last + 1)

    def _header(self, header: Header) -> Fault | None:
        self.headers.append((header.path, header.key))
        self._closed = False
        if (value := self._value_in_way(header.path)) is not None:
            self._closed = True
            return Fault(header.key, f"is declared already, as a value, in line {value.line}", _named(header.path))
        if header.empty:
            self.entries.append(Entry(header.path, {}, header.key, header.key))
        first = self._tables.setdefault(header.path, header.key)
        if first is header.key:
            return None
        return Fault(header.key, f"is declared twice, first in line {first.line}", _named(header.path))

    def _leaf(self, leaf: Leaf) -> Fault | None:
        if self._closed:
            return None
        if (first := self._value_in_way(leaf.path)) is not None:
            said = "is set twice, first" if leaf.path in self._values else "is declared already, as a value,"
            return Fault(leaf.key, f"{said} in line {first.line}", leaf.path)
        if leaf.text == "{}":
            self.entries.append(Entry(leaf.path, {}, leaf.key, leaf.position))
            return None
        self._values[leaf.path] = leaf.key
        if not self._mended.isdisjoint(range(leaf.first, leaf.last + 1)):
            return None
        value = parsed(f"v = {leaf.text}")
        if isinstance(value, Refusal):
            return Fault(leaf.position, value.message, leaf.path)
        self.entries.append(Entry(leaf.path, value["v"], leaf.key, leaf.position))
        return None

    def _value_in_way(self, path: Path) -> Position | None:
        lengths = range(1, len(path) + 1)
        return next((self._values[path[:length]] for length in lengths if path[:length] in self._values), None)


def _named(path: Path) -> Path:
    """Without the number of the element that a header begins."""
    return path[:-1] if isinstance(path[-1], int) else path


def _related(one: Path, other: Path) -> bool:
    """Whether one leads to the other."""
    length = min(len(_named(one)), len(_named(other)))
    return one[:length] == other[:length]
