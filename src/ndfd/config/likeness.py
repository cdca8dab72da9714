"""Which of a set of names a wrong one is most like."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, JaroWinkler

#: Of 100: so many of the words of the shorter name must be in the longer one.
_WORDS_SHARED_MIN = 80.0


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that the fewest slips lead to, else the one that shares its words; None when none is near.

    Slips are those of the optimal string alignment distance: a character left out, put in, replaced, or swapped with
    its neighbour; at most a third of the name may be slips. Between equals the one with the longer common beginning
    wins, since slips are rarest there.
    """
    distances = [(OSA.distance(name, each), each) for each in candidates]
    if not distances:
        return None
    fewest = min(distances)[0]
    if fewest <= max(1, len(name) // 3):
        equals = (each for slips, each in distances if slips == fewest)
        return min((-JaroWinkler.similarity(name, each), each) for each in equals)[1]
    shared, _, best = max((fuzz.token_set_ratio(_words(name), _words(each)), -slips, each) for slips, each in distances)
    return best if shared >= _WORDS_SHARED_MIN else None


def slips(name: str, other: str) -> int:
    """How many slips lead from one name to the other."""
    return int(OSA.distance(name, other))


def _words(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower())
