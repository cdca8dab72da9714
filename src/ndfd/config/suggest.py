"""What key or group was probably meant by a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable

from ndfd.config.keys import GROUPS, KEYS
from ndfd.config.likeness import nearest, slips


def nearest_key(path: str, paths: Iterable[str] = KEYS) -> str | None:
    """The key that was meant by "group.name" or by "name" alone: one of that very name before any other."""
    group, _, name = path.rpartition(".")
    paths = tuple(paths)
    if group in paths:
        return group
    names = [each.rpartition(".")[2] for each in paths]
    meant = name if group else nearest(name, names)
    namesakes = [each for each, its_name in zip(paths, names, strict=True) if its_name == meant]
    if namesakes:
        return min(namesakes, key=lambda each: slips(group, each.rpartition(".")[0]))
    return nearest(path, paths)


def nearest_group(name: str) -> str | None:
    """The group that was meant."""
    return nearest(name, GROUPS)
