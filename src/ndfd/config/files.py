"""The layer of one TOML file."""

from __future__ import annotations

from pathlib import Path

from ndfd.config import permissions
from ndfd.config.keys import GROUPS, KEYS
from ndfd.config.layer import PATHS, Layer
from ndfd.config.reading import read_regular
from ndfd.config.suggest import nearest_group, nearest_key
from ndfd.config.toml_file import MAX_BYTES, Entry, TomlFile, read_toml
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
    for key in KEYS.values():
        written = layer.values.get(key.path)
        if key.kind.secret and written is not None and written.origin.secret_file is None:
            layer.warnings += permissions.inline_secret_warning(path, status, key.path)
    return layer


class _File:
    """Puts what a file says into its layer."""

    def __init__(self, name: str, layer: Layer) -> None:
        self._name = name
        self._layer = layer
        #: Wrong groups, which are said once and not for each of their keys.
        self._refused: set[str] = set()

    def take(self, file: TomlFile) -> None:
        for fault in file.faults:
            key = None if fault.path is None else ".".join(map(str, fault.path))
            self._layer.mistake(self._at(fault.position), fault.message, key)
        headers = {header[0]: position for header, position in reversed(file.headers) if len(header) > 0}
        for entry in file.entries:
            self._entry(entry, headers.get(str(entry.path[0])) if len(entry.path) > 1 else None)
        self._layer.mistakes.sort(key=lambda mistake: (mistake.origin.line or 0, mistake.origin.column or 0))

    def _entry(self, entry: Entry, header: Position | None) -> None:
        group, *rest = entry.path
        path = ".".join(map(str, entry.path))
        key_at, value_at = self._at(entry.key), self._at(entry.position)
        if group not in GROUPS:
            self._unknown_group(str(group), entry, self._at(header or entry.key))
        elif not rest:
            # An empty group is as good as none.
            if entry.value != {}:
                self._layer.mistake(key_at, f"is a group: write [{group}] and its keys below", str(group))
        elif isinstance(rest[0], int):
            if group not in self._refused:
                self._refused.add(str(group))
                self._layer.mistake(
                    self._at(header or entry.key), f"there is one such group: write [{group}]", str(group)
                )
        elif (path_of_two := f"{group}.{rest[0]}") not in PATHS:
            if path_of_two not in self._refused:
                self._refused.add(path_of_two)
                self._layer.mistake(key_at, "there is no such key", path_of_two, nearest_key(path_of_two, PATHS))
        elif len(rest) > 1:
            self._layer.mistake(key_at, f"a table where {_accepts(path_of_two)} is needed", path_of_two)
        else:
            self._layer.put(path, entry.value, value_at)

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
    return KEYS[path].kind.accepts() if path in KEYS else "an absolute path"
