"""`[[watch]]` with a key `name`, read as `[watch.NAME]`: two writings of the same, told apart by nobody after this."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from ndfd.config.toml_recovery import Fault
from ndfd.config.toml_statements import Entry
from ndfd.config.toml_tree import Path, Position

#: Of an element of an array of tables.
NAME = "name"


def named(
    entries: tuple[Entry, ...], headers: tuple[tuple[Path, Position], ...], groups: Collection[str]
) -> tuple[list[Entry], list[tuple[Path, Position]], list[Fault]]:
    """Entries and headers with each element of the arrays at these paths under its name instead of its number.

    One without a name keeps its number, which no table of a family has. Of two with the same name the later is a fault.
    """
    numbers = {tuple(group.split(".")) for group in groups}
    begun = {path: position for path, position in headers if path[:-1] in numbers}
    names: dict[Path, Path] = {}
    places: dict[Path, Position] = {}
    faults: list[Fault] = []
    for entry in entries:
        element, last = entry.path[:-1], entry.path[-1]
        if last != NAME or element[:-1] not in numbers or not isinstance(element[-1], int):
            continue
        if not isinstance(entry.value, str):
            continue
        path = (*element[:-1], entry.value)
        if path in places:
            faults.append(Fault(entry.position, f"is declared already, in line {places[path].line}", path))
        places.setdefault(path, begun.get(element, entry.key))
        names[element] = path
    doubled = {element for element, path in names.items() if begun.get(element, places[path]) != places[path]}

    def renamed(path: Path) -> Path:
        for length in range(1, len(path) + 1):
            if path[:length] in names:
                return (*names[path[:length]], *path[length:])
        return path

    kept = [entry for entry in entries if not any(entry.path[: len(each)] == each for each in doubled)]
    return (
        [
            _renamed(entry, renamed(entry.path), is_name=entry.path[:-1] in names and entry.path[-1] == NAME)
            for entry in kept
        ],
        [(renamed(path), position) for path, position in headers if path not in doubled],
        faults,
    )


def _renamed(entry: Entry, path: Path, *, is_name: bool) -> Entry:
    """The name itself is what declares the table."""
    if is_name:
        return dataclasses.replace(entry, path=path[:-1], value={})
    return dataclasses.replace(entry, path=path)
