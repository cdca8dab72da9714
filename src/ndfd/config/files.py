"""The layer of one TOML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ndfd.config import permissions
from ndfd.config.keys import ANY_NAME, FAMILIES, GROUPS, Family, find_key, secret_of
from ndfd.config.layer import PATHS, Layer
from ndfd.config.reading import read_regular
from ndfd.config.suggest import NO_SUCH_KEY, nearest_group, nearest_key, wrong_name, wrong_path
from ndfd.config.toml_file import MAX_BYTES, Entry, TomlFile, read_toml
from ndfd.config.toml_names import named
from ndfd.config.toml_tree import Path as Keys
from ndfd.config.toml_tree import Position
from ndfd.model.configuration import Origin, OriginKind


def read_file(path: Path) -> Layer | None:
    """The values and the mistakes of the file; None when it is not there (any more)."""
    layer = Layer()
    origin = Origin(OriginKind.FILE, str(path))
    try:
        data, status = read_regular(path, MAX_BYTES)
    except FileNotFoundError:
        if path.is_symlink():
            layer.mistake(origin, "the link leads to no file")
            return layer
        return None
    except OSError as error:
        layer.mistake(origin, f"the file cannot be read: {error.strerror}")
        return layer
    _File(str(path), layer).take(read_toml(data))
    layer.warnings += permissions.config_warnings(path, status)
    for name, written in layer.values.items():
        key = find_key(name)
        if key is not None and key.kind.secret and written.origin.secret_file is None:
            layer.warnings += permissions.inline_secret_warning(path, status, name)
    return layer


class _File:
    """Puts what a file says into its layer."""

    def __init__(self, name: str, layer: Layer) -> None:
        self._name = name
        self._layer = layer
        #: Wrong groups and tables, which are said once and not for each of their keys.
        self._refused: set[str] = set()
        #: Where each table is first begun.
        self._headers: dict[Keys, Position] = {}

    def take(self, file: TomlFile) -> None:
        entries, headers, faults = named(file.entries, file.headers, FAMILIES)
        for fault in (*file.faults, *faults):
            key = None if fault.path is None else ".".join(map(str, fault.path))
            self._layer.mistake(self._at(fault.position), fault.message, key)
        for header, position in headers:
            for length in range(1, len(header) + 1):
                self._headers.setdefault(header[:length], position)
        for entry in entries:
            self._entry(entry, self._headers.get(entry.path[:1]) if len(entry.path) > 1 else None)
        self._layer.mistakes.sort(key=lambda mistake: (mistake.origin.line or 0, mistake.origin.column or 0))

    def _entry(self, entry: Entry, header: Position | None) -> None:
        group, *rest = entry.path
        path = ".".join(map(str, entry.path))
        key_at, value_at = self._at(entry.key), self._at(entry.position)
        if (family := FAMILIES.get(str(group))) is not None:
            self._member(family, entry, rest)
        elif group not in GROUPS:
            self._unknown_group(str(group), entry, self._at(header or entry.key))
        elif not rest:
            # An empty group is as good as none.
            if entry.value != {}:
                self._layer.mistake(key_at, f"is a group: write [{group}] and its keys below", str(group))
        elif isinstance(rest[0], int):
            self._refuse(str(group), self._at(header or entry.key), f"there is one such group: write [{group}]")
        elif (family := FAMILIES.get(f"{group}.{rest[0]}")) is not None:
            self._member(family, entry, rest[1:])
        elif (path_of_two := f"{group}.{rest[0]}") not in PATHS:
            at = self._at(self._headers.get(entry.path[:2], entry.key))
            self._refuse(path_of_two, at, NO_SUCH_KEY, nearest_key(path_of_two, PATHS))
        elif len(rest) > 1:
            self._layer.mistake(key_at, f"a table where {_accepts(path_of_two)} is needed", path_of_two)
        else:
            self._layer.put(path, entry.value, value_at)

    def _member(self, family: Family, entry: Entry, rest: Sequence[str | int]) -> None:
        """What is written below the table around those of a family."""
        write = f"write [{family.table(ANY_NAME)}] and its keys below"
        if not rest:
            # As good as none when it is empty.
            if entry.value not in ({}, []):
                self._refuse(family.group, self._at(entry.key), f"is a table of tables: {write}")
            return
        name, *keys = rest
        table = family.table(str(name))
        at = self._at(self._headers.get(entry.path[: len(entry.path) - len(keys)], entry.key))
        if isinstance(name, int):
            self._refuse(family.group, at, f"each has a name: {write}")
        elif not keys and entry.value != {}:
            self._refuse(table, self._at(entry.key), f"is a value where a table is needed: {write}")
        elif (wrong := wrong_name(family, name)) is not None:
            self._refuse(table, at, wrong[0], None if wrong[1] is None else f"[{wrong[1]}]")
        elif keys and isinstance(keys[0], int):
            self._refuse(table, at, f"there is one such table: write [{table}]")
        else:
            self._layer.declare(table, at)
            self._key_of_member(table, entry, keys)

    def _key_of_member(self, table: str, entry: Entry, keys: Sequence[str | int]) -> None:
        if not keys:
            return
        path = f"{table}.{keys[0]}"
        key = find_key(path)
        if key is None and secret_of(path) is None:
            message, suggestion = wrong_path(path, PATHS)
            self._refuse(path, self._at(entry.key), message, suggestion)
        elif len(keys) > 1:
            self._layer.mistake(self._at(entry.key), f"a table where {_accepts(path)} is needed", path)
        else:
            self._layer.put(path, entry.value, self._at(entry.position))

    def _refuse(self, path: str, at: Origin, message: str, suggestion: str | None = None) -> None:
        if path not in self._refused:
            self._refused.add(path)
            self._layer.mistake(at, message, path, suggestion)

    def _unknown_group(self, group: str, entry: Entry, at: Origin) -> None:
        if group in self._refused:
            return
        self._refused.add(group)
        if len(entry.path) == 1 and entry.value != {}:
            self._layer.mistake(at, "there is no such key outside of a group", group, nearest_key(group, PATHS))
            return
        near = nearest_group(group)
        self._layer.mistake(at, "there is no such group", group, None if near is None else f"[{near}]")

    def _at(self, position: Position) -> Origin:
        return Origin(OriginKind.FILE, self._name, position.line, position.column)


def _accepts(path: str) -> str:
    key = find_key(path)
    return "an absolute path" if key is None else key.kind.accepts()
