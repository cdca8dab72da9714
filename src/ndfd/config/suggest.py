"""What key or group was probably meant by a name that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ndfd.config.keys import ANY_NAME, FAMILIES, GROUPS, KEYS, Family, family_of
from ndfd.config.kind import WrongWord
from ndfd.config.likeness import nearest, slips

NO_SUCH_KEY = "there is no such key"


def wrong_path(path: str, paths: Iterable[str] = KEYS) -> tuple[str, str | None]:
    """What is wrong with a path that is no key's, and the path that was probably meant."""
    for family in FAMILIES.values():
        name, dot, key = path.removeprefix(f"{family.group}.").partition(".")
        if path.startswith(f"{family.group}.") and dot:
            wrong = wrong_name(family, name)
            if wrong is None:
                near = nearest(key, family.keys)
                return NO_SUCH_KEY, None if near is None else f"{family.table(name)}.{near}"
            message, table = wrong
            return message, None if table is None or key not in family.keys else f"{table}.{key}"
    return NO_SUCH_KEY, nearest_key(path, paths)


def wrong_name(family: Family, name: str) -> tuple[str, str | None] | None:
    """What is wrong with a table's name, and the path of the table that was probably meant; None: nothing is wrong."""
    try:
        family.names.read(name)
    except WrongWord as error:
        return str(error), None if error.suggestion is None else family.table(error.suggestion)
    except ValueError as error:
        return str(error), None
    return None


def nearest_key(path: str, paths: Iterable[str] = KEYS) -> str | None:
    """The key that was meant by "group.name" or by "name" alone.

    One that a single slip leads to, else one of that very name, before any other.
    """
    group, _, name = path.rpartition(".")
    paths = tuple(paths)
    if group in paths:
        return group
    if (near := nearest(path, (*paths, *_of_named_tables(path)))) is not None and slips(path, near) == 1:
        return near
    paths = (*paths, *_of_families(path))
    names = [each.rpartition(".")[2] for each in paths]
    meant = name if group else nearest(name, names)
    namesakes = [each for each, its_name in zip(paths, names, strict=True) if its_name == meant]
    if namesakes:
        return min(namesakes, key=lambda each: slips(group, each.rpartition(".")[0]))
    return nearest(path, paths)


def nearest_group(name: str) -> str | None:
    """The group, or the table around those of a family, that was meant."""
    tables = {group: group for group in GROUPS} | {family.rpartition(".")[2]: family for family in FAMILIES}
    near = nearest(name, tables)
    return None if near is None else tables[near]


def _of_named_tables(path: str) -> Iterator[str]:
    """The paths in families that could be meant, whatever part of this one is the name of a table."""
    names = {*re.split("[._]", path), path.rpartition(".")[0].rpartition(".")[2]}
    for family in FAMILIES.values():
        for table in map(family.table, sorted(names)):
            if family_of(table) is not None:
                yield from (f"{table}.{key}" for key in family.keys)


def _of_families(path: str) -> Iterator[str]:
    """The paths in families that could be meant by one that begins nearly as they do."""
    parts = path.split(".")
    for group, family in FAMILIES.items():
        depth = group.count(".") + 1
        if len(parts) < depth or nearest(".".join(parts[:depth]), [group]) is None:
            continue
        if len(parts) == depth:
            yield group
            continue
        name = parts[depth] if len(parts) > depth + 1 else ANY_NAME
        table = family.table(name)
        yield from (f"{table}.{key}" for key in family.keys if family_of(table) is not None)
