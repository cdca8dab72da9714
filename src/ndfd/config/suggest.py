"""What was probably meant by a name that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, JaroWinkler

from ndfd.config.keys import GROUPS, KEYS

#: Of 100: so many of the words of the shorter name must be in the longer one.
_WORDS_SHARED_MIN = 80.0


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that the fewest slips lead to, else the one that shares its words; None when none is near.

    Slips are those of the optimal string alignment distance: a character left out, put in, replaced, or swapped with
    its neighbour; at most a third of the name may be slips. Between equals the one with the longer common beginning
    wins, since slips are rarest there.
    """
    ranked = sorted((OSA.distance(name, each), -JaroWinkler.similarity(name, each), each) for each in candidates)
    if not ranked:
        return None
    slips, _, best = ranked[0]
    if slips <= max(1, len(name) // 3):
        return best
    shared, best = max((fuzz.token_set_ratio(_words(name), _words(each)), each) for _, _, each in ranked)
    return best if shared >= _WORDS_SHARED_MIN else None


def nearest_key(path: str, paths: Iterable[str] = KEYS) -> str | None:
    """The key that was meant by "group.name" or by "name" alone: one of that very name before any other."""
    group, _, name = path.rpartition(".")
    paths = tuple(paths)
    names = [each.rpartition(".")[2] for each in paths]
    meant = name if group else nearest(name, names)
    namesakes = [each for each, its_name in zip(paths, names, strict=True) if its_name == meant]
    if namesakes:
        return min(namesakes, key=lambda each: OSA.distance(group, each.rpartition(".")[0]))
    return nearest(path, paths)


def nearest_group(name: str) -> str | None:
    """The group that was meant."""
    return nearest(name, GROUPS)


def slips(name: str, other: str) -> int:
    """How many slips lead from one name to the other."""
    return int(OSA.distance(name, other))


def _words(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower())
