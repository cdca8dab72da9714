"""What changes between two configurations, and what of it a reload can do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ndfd.config.keys import KEYS, Key, keys_with, tables_of
from ndfd.config.load import Loaded, hash_of
from ndfd.config.settings import Settings
from ndfd.model.configuration import Change, Effect, Origin, OriginKind, Setting

#: Of a key whose table is gone.
_NOWHERE = Setting("", Origin(OriginKind.DEFAULT))


def changes(old: Mapping[str, Setting], new: Mapping[str, Setting]) -> tuple[Change, ...]:
    """The keys whose values differ as they are shown, in the order of the reference. Secrets look alike here.

    A key of a table that only one of the two declares is not set in the other.
    """
    return tuple(
        _change(key, old, new)
        for path, key in _keys_of(old, new).items()
        if old.get(path, _NOWHERE).value != new.get(path, _NOWHERE).value
    )


def planned(old: Loaded, new: Loaded) -> tuple[Change, ...]:
    """As `changes`, with the secrets that differ."""
    return tuple(
        _change(key, old.resolved, new.resolved)
        for key in _keys_of(old.resolved, new.resolved).values()
        if _value(old.settings, key) != _value(new.settings, key)
    )


def reloaded(old: Loaded, new: Loaded) -> Loaded:
    """What a reload from `old` to `new` leads to: the new one, but with the old values where a restart is needed."""
    held = [key for key in KEYS.values() if key.effect is Effect.RESTART]
    settings = new.settings
    for key in held:
        group = getattr(settings, key.group).model_copy(update={key.name: _value(old.settings, key)})
        settings = settings.model_copy(update={key.group: group})
    resolved = MappingProxyType({**new.resolved, **{key.path: old.resolved[key.path] for key in held}})
    return dataclasses.replace(new, settings=settings, resolved=resolved, hash=hash_of(resolved))


def _keys_of(old: Iterable[str], new: Iterable[str]) -> Mapping[str, Key]:
    return keys_with(tables_of(old) | tables_of(new))


def _change(key: Key, old: Mapping[str, Setting], new: Mapping[str, Setting]) -> Change:
    before, after = old.get(key.path, _NOWHERE), new.get(key.path, _NOWHERE)
    return Change(key.path, key.effect, after.origin, before.value, after.value)


def _value(settings: Settings, key: Key) -> object:
    """None for a key of a table that is not declared."""
    value: object = settings
    for part in key.path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
    return value
