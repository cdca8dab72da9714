"""What a knob is worth, from paired readings: pure functions of values."""

from __future__ import annotations

import enum
import random
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

#: Less than that is nothing that anybody would set a knob for.
LEAST_WORTH = 0.005

#: Fewer give no 95 % interval of a median: one in 32 of five readings are all on one side of it.
BLOCKS_MIN = 6

_RESAMPLES = 2000
_CONFIDENCE = 0.95


class Verdict(enum.StrEnum):
    """What an interval says."""

    GAIN = "gain"
    NONE = "none"
    LOSS = "loss"


class Reading(NamedTuple):
    """One turn: the same documents, once by each worker."""

    #: Seconds from the first worker's start to the last one's end.
    wall_s: float
    #: CPU seconds of all workers.
    cpu_s: float


class Block(NamedTuple):
    """Four turns, off, on, on, off: what drifts evenly while they run hits both sides alike."""

    off: tuple[Reading, Reading]
    on: tuple[Reading, Reading]

    @property
    def wall(self) -> float:
        """On by off; below 1 where the knob helps."""
        return sum(each.wall_s for each in self.on) / sum(each.wall_s for each in self.off)

    @property
    def cpu(self) -> float:
        """As `wall`."""
        return sum(each.cpu_s for each in self.on) / sum(each.cpu_s for each in self.off)


class Effect(NamedTuple):
    """Time with the knob by time without it."""

    #: Median over the blocks.
    ratio: float
    #: Ends of its 95 % confidence interval.
    low: float
    high: float

    def verdict(self, floor: float) -> Verdict:
        """`floor` is how far from 1 the whole interval has to be."""
        if self.high < 1 - floor:
            return Verdict.GAIN
        return Verdict.LOSS if self.low > 1 + floor else Verdict.NONE

    def as_json(self) -> dict[str, Any]:
        return self._asdict()


class Floor(NamedTuple):
    """How far from 1 an interval has to be to say anything."""

    wall: float = LEAST_WORTH
    cpu: float = LEAST_WORTH


class Worth(NamedTuple):
    """What a knob does to both times."""

    wall: Effect
    cpu: Effect

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> Worth:
        """Of at least `BLOCKS_MIN` blocks."""
        return cls(effect([block.wall for block in blocks]), effect([block.cpu for block in blocks]))

    def verdict(self, floor: Floor) -> Verdict:
        """A gain in one of the times that costs nothing of the other."""
        both = {self.wall.verdict(floor.wall), self.cpu.verdict(floor.cpu)}
        if Verdict.LOSS in both:
            return Verdict.LOSS
        return Verdict.GAIN if Verdict.GAIN in both else Verdict.NONE


def effect(ratios: Sequence[float]) -> Effect:
    """Percentile bootstrap of the median (Efron 1979), from a fixed seed: the same readings give the same interval."""
    chance = random.Random(len(ratios))
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(_RESAMPLES))
    tail = int(_RESAMPLES * (1 - _CONFIDENCE) / 2)
    return Effect(statistics.median(ratios), medians[tail], medians[-1 - tail])


def noise_floor(checks: Iterable[Worth]) -> Floor:
    """How far from 1 the same work beside itself came, at least `LEAST_WORTH`."""
    floor = Floor()
    for worth in checks:
        floor = Floor(max(floor.wall, abs(worth.wall.ratio - 1)), max(floor.cpu, abs(worth.cpu.ratio - 1)))
    return floor
