"""What changes between two configurations, and what of it a reload can do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from ndfd.config.keys import KEYS, Key
from ndfd.config.load import Loaded, hash_of
from ndfd.config.settings import Settings
from ndfd.model.configuration import Change, Effect, Setting


def changes(old: Mapping[str, Setting], new: Mapping[str, Setting]) -> tuple[Change, ...]:
    """The keys whose values differ as they are shown, in the order of the reference. Secrets look alike here."""
    return tuple(_change(KEYS[path], old, new) for path in KEYS if old[path].value != new[path].value)


def planned(old: Loaded, new: Loaded) -> tuple[Change, ...]:
    """As `changes`, with the secrets that differ."""
    return tuple(
        _change(key, old.resolved, new.resolved)
        for key in KEYS.values()
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


def _change(key: Key, old: Mapping[str, Setting], new: Mapping[str, Setting]) -> Change:
    path = key.path
    return Change(path, key.effect, new[path].origin, old[path].value, new[path].value)


def _value(settings: Settings, key: Key) -> object:
    return getattr(getattr(settings, key.group), key.name)
