"""The configuration of a process: every layer read, merged with the origin of each value, and judged as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from ndfd.config.context import CONFIG_DIR_VARIABLE, DEVELOPMENT, ENV_VARIABLE, Context
from ndfd.config.credentials import read_credentials
from ndfd.config.environment import read_environment
from ndfd.config.flags import read_flags
from ndfd.config.keys import KEYS, Key, find_key, keys_with
from ndfd.config.layer import Layer
from ndfd.config.reading import is_there
from ndfd.config.settings import Settings
from ndfd.errors import ConfigError
from ndfd.model.configuration import Candidate, Mistake, Origin, OriginKind, Setting

_DEFAULT = Origin(OriginKind.DEFAULT)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used."""

    settings: Settings
    #: By path, every key.
    resolved: Mapping[str, Setting]
    #: SHA-256 of all values but secrets, in hexadecimal.
    hash: str
    #: The files that were read, weakest first.
    files: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the sources say, and what is wrong with it."""

    #: None when there are mistakes.
    settings: Settings | None
    #: By path, every key; values that cannot be used are left out.
    resolved: Mapping[str, Setting]
    hash: str
    files: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    warnings: tuple[str, ...]

    def accepted(self) -> Loaded:
        """`ConfigError`, with a line for each mistake, unless there are none."""
        if self.settings is None:
            raise refusal(self.mistakes)
        return Loaded(self.settings, self.resolved, self.hash, self.files, self.warnings)


def read(context: Context) -> Reading:
    """Reads all layers of a process. Mistakes are given back, not raised."""
    folders = Layer()
    try:
        paths = context.files()
    except OSError as error:
        paths = ()
        folders.mistake(Origin(OriginKind.FILE, str(error.filename)), f"the folder cannot be read: {error.strerror}")
    # TOML with positions takes 30 ms to import: not for a process without files.
    named = _read_files(paths) if paths else []
    layers = [folders, *(layer for _, layer in named)]
    layers += read_environment(context.environment)
    layers.append(read_flags(context.flags))
    if context.credentials_dir is not None:
        layers.append(read_credentials(context.credentials_dir))
    warnings = (*_missing_folder(context), *_missing_environment(context))
    return _judge(layers, [name for name, _ in named], warnings)


def load(context: Context) -> Loaded:
    """As `read`, for those who can use a sound configuration only."""
    return read(context).accepted()


def read_files(paths: Sequence[Path]) -> Reading:
    """Reads these files alone, the later the stronger; `ConfigError` for one that is not there."""
    named = _read_files(paths)
    found = {name for name, _ in named}
    for path in paths:
        if str(path) not in found:
            raise ConfigError(f"{path}: there is no such file", hint="check the path")
    return _judge([layer for _, layer in named], [name for name, _ in named])


def refusal(mistakes: Sequence[Mistake]) -> ConfigError:
    """The error for a configuration with mistakes."""
    if len(mistakes) == 1:
        return ConfigError(str(mistakes[0]))
    return ConfigError(
        f"the configuration has {len(mistakes)} mistakes", details=tuple(str(mistake) for mistake in mistakes)
    )


def _read_files(paths: Sequence[Path]) -> list[tuple[str, Layer]]:
    from ndfd.config.files import read_file

    return [(str(path), layer) for path in paths if (layer := read_file(path)) is not None]


class _LayerSource(PydanticBaseSettingsSource):
    """A layer as pydantic-settings asks for it; which layer wins is its decision, by their order."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(Settings)
        self._values: dict[str, dict[str, Any]] = {}
        for table in layer.tables:
            self._table(table)
        for path, written in layer.values.items():
            group, _, name = path.rpartition(".")
            self._table(group)[name] = written.raw

    def _table(self, path: str) -> dict[str, Any]:
        table: dict[str, Any] = self._values
        for part in path.split("."):
            table = table.setdefault(part, {})
        return table

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """A whole group at a time."""
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """All groups."""
        return self._values


def _judge(layers: Sequence[Layer], files: Sequence[str], warnings: tuple[str, ...] = ()) -> Reading:
    mistakes = [mistake for layer in layers for mistake in layer.mistakes]
    # A secret's own key and that of its file are one key to the rules.
    refused = {mistake.key.removesuffix("_file") for mistake in mistakes if mistake.key is not None}
    strongest_first = tuple(reversed(layers))
    keys = keys_with({table for layer in layers for table in layer.tables})
    resolved = {path: _setting(key, strongest_first) for path, key in keys.items()}
    settings: Settings | None = None
    try:
        sources = tuple(_LayerSource(layer) for layer in strongest_first)
        # mypy takes the signature from the fields, as for a plain model.
        settings = Settings(_build_sources=(sources, {}))  # type: ignore[call-arg]
    except ValidationError as error:
        # Each value has been read by its kind before: what is left are the rules between keys.
        tables = {table: origin for layer in layers for table, origin in layer.tables.items()}
        mistakes += _broken_rules(error, resolved, refused, tables)
        sources_order = list(dict.fromkeys(mistake.origin.name for mistake in mistakes))
        mistakes.sort(key=lambda mistake: (sources_order.index(mistake.origin.name), _place(mistake.origin)))
    return Reading(
        settings=None if mistakes else settings,
        resolved=MappingProxyType(resolved),
        hash=hash_of(resolved),
        files=tuple(files),
        mistakes=tuple(mistakes),
        warnings=(
            *dict.fromkeys(warning for layer in layers for warning in layer.warnings),
            *warnings,
            *_without_effect(settings),
        ),
    )


def _setting(key: Key, strongest_first: Sequence[Layer]) -> Setting:
    winner, *shadowed = _candidates(key, strongest_first)
    return Setting(key.path, winner.origin, winner.value, tuple(shadowed))


def _candidates(key: Key, strongest_first: Sequence[Layer]) -> Iterator[Candidate]:
    """The values that the layers give, the default last; beneath its own, those of the key that it falls back to."""
    for layer in strongest_first:
        if (written := layer.values.get(key.path)) is not None:
            yield Candidate(written.origin, written.text)
    if key.fallback is None:
        yield Candidate(_DEFAULT, key.default_text)
    else:
        yield from _candidates(KEYS[key.fallback], strongest_first)


def _broken_rules(
    error: ValidationError, resolved: Mapping[str, Setting], refused: set[str], tables: Mapping[str, Origin]
) -> list[Mistake]:
    mistakes = []
    for fault in error.errors(include_url=False, include_input=False):
        group = ".".join(map(str, fault["loc"]))
        keys = [f"{group}.{key}" if group else key for key in fault["ctx"]["keys"]]
        # A rule about a key that could not be read says nothing: its default stood in for it.
        if refused.isdisjoint(keys):
            at = max((resolved[key] for key in keys), key=lambda setting: _strength(setting.origin))
            # A key that is missing has no place of its own, but its table has one.
            declared = tables.get(at.key.rpartition(".")[0], at.origin)
            mistakes.append(Mistake(declared if at.origin == _DEFAULT else at.origin, fault["msg"], at.key))
    return mistakes


def _place(origin: Origin) -> tuple[int, int]:
    return (origin.line or 0, origin.column or 0)


def _strength(origin: Origin) -> int:
    return list(OriginKind).index(origin.kind)


def hash_of(resolved: Mapping[str, Setting]) -> str:
    """SHA-256 of all values but secrets, in hexadecimal: of a secret even a hash helps who guesses."""
    lines = (f"{path} = {setting.value}\n" for path, setting in resolved.items() if not _is_secret(path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _is_secret(path: str) -> bool:
    key = find_key(path)
    return key is not None and key.kind.secret


def _without_effect(settings: Settings | None) -> tuple[str, ...]:
    """A warning for what is configured of jobs where none are taken."""
    if settings is None or settings.jobs.enabled:
        return ()
    tables = [f"[watch.{name}]" for name in settings.watch] + [f"[hooks.{name}]" for name in settings.hooks]
    return (f"without effect while [jobs] enabled is false: {', '.join(tables)}",) if tables else ()


def _missing_folder(context: Context) -> tuple[str, ...]:
    """A warning for an NDFD_CONFIG_DIR, perhaps mistyped, that is no folder."""
    named = context.environment.get(CONFIG_DIR_VARIABLE)
    if not named or context.system_dir != Path(named).absolute() or context.system_dir.is_dir():
        return ()
    return (f"{CONFIG_DIR_VARIABLE} names {named}, which is no folder: the machine's configuration is not read",)


def _missing_environment(context: Context) -> tuple[str, ...]:
    """A warning for an NDFD_ENV, perhaps mistyped, that no file belongs to."""
    if context.env is None or context.system_dir is None or context.env == DEVELOPMENT:
        return ()
    path = context.system_dir / f"config.{context.env}.toml"
    if is_there(path):
        return ()
    try:
        others = sorted(each.name for each in context.system_dir.glob("config.?*.toml"))
    except OSError:
        others = []
    there_are = f"; there are {', '.join(others)}" if others else ""
    return (f"{ENV_VARIABLE}={context.env} names {path}, which is not there{there_are}",)
