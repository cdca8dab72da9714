"""Mutations of good documents, each made from the seed and its index alone."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.stress.file_faults import FILE_FAULTS
from tests.stress.good_files import Good
from tests.stress.object_faults import OBJECT_FAULTS
from tests.stress.pdf_objects import Pdf, parse
from tests.stress.stream_faults import STREAM_FAULTS, bombs

#: A reader that inflates a bomb needs seconds: one in so many documents holds one.
_ONE_BOMB_IN = 150
#: A mutation without an end would only show that a large file is refused.
_LARGEST_BYTES = 4_000_000


@dataclass(frozen=True)
class Mutant:
    """A document that was sound."""

    index: int
    #: The good document it was made of.
    source: str
    #: What was done to it, in order.
    faults: tuple[str, ...]
    data: bytes

    def __str__(self) -> str:
        return f"{self.index} ({self.source}: {', '.join(self.faults)})"


class Fuzzer:
    """The same good documents, seed and index give the same mutant, in any order and any process."""

    def __init__(self, good: Sequence[Good], seed: int) -> None:
        self._good = tuple(good)
        self._seed = seed

    def mutant(self, index: int) -> Mutant:
        """The mutant with this index."""
        # A string, so that neighbouring seeds and indexes have nothing in common (Python's `random.seed`, version 2).
        random = Random(f"{self._seed}/{index}")
        good, other = random.choice(self._good), random.choice(self._good)
        pdf, faults = _taken_apart(good), []
        data = good.data
        if pdf is not None and random.random() < 0.7:
            data, faults = _of_objects(random, pdf.copy(), _taken_apart(other) or pdf)
            if random.random() < 0.85:
                return Mutant(index, good.name, tuple(faults), data)
        for _ in range(random.choice((1, 1, 2, 3))):
            fault = random.choice(FILE_FAULTS)
            faults.append(fault.__name__)
            data = fault(random, data, other.data)[:_LARGEST_BYTES] or data
        return Mutant(index, good.name, tuple(faults), data)

    def source(self, index: int) -> Good:
        """The good document that the mutant with this index is made of."""
        return Random(f"{self._seed}/{index}").choice(self._good)


def _of_objects(random: Random, pdf: Pdf, other: Pdf) -> tuple[bytes, list[str]]:
    faults: list[str] = []
    if random.randrange(_ONE_BOMB_IN) == 0 and bombs(random, pdf, other):
        faults.append(bombs.__name__)
    # Few at once: of many, the first hides the others.
    wanted = random.choice((1, 1, 1, 2, 3))
    while len(faults) < wanted:
        kinds = STREAM_FAULTS if random.random() < 0.5 else OBJECT_FAULTS
        fault = random.choice(kinds)
        if fault(random, pdf, other):
            faults.append(fault.__name__)
    return pdf.written()[:_LARGEST_BYTES], faults


@functools.cache
def _taken_apart(good: Good) -> Pdf | None:
    try:
        return parse(good.data)
    except ValueError:
        return None
