"""The figures of the swarm's benchmark, from readings: pure functions of values."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Spread(NamedTuple):
    """Readings of one thing, in the unit of the readings."""

    count: int
    median: float
    p95: float
    least: float
    most: float

    @classmethod
    def of(cls, readings: Sequence[float]) -> Spread:
        """Of at least one reading; `p95` is a reading that really occurred (nearest rank)."""
        ordered = sorted(readings)
        rank = math.ceil(0.95 * len(ordered)) - 1
        return cls(len(ordered), statistics.median(ordered), ordered[rank], ordered[0], ordered[-1])

    def as_json(self) -> dict[str, Any]:
        return self._asdict()


class Batch(NamedTuple):
    """Documents that were converted by some lanes at once."""

    documents: int
    #: From the first document's start to the last one's end, over all lanes.
    wall_s: float
    #: CPU seconds of the processes beside the workers: the client and the daemon; 0 for one without them.
    client_s: float = 0.0
    daemon_s: float = 0.0
    #: CPU seconds of the processes that convert, and how much of them the conversions themselves say they took.
    worker_s: float = 0.0
    conversion_s: float = 0.0

    @property
    def per_s(self) -> float:
        """Documents per second."""
        return self.documents / self.wall_s


class Comparison(NamedTuple):
    """One side by the other, both measured in every round: noise of the machine hits both."""

    #: Median over the rounds of (this side by the other one).
    ratio: float
    #: The least and the highest of the rounds.
    least: float
    most: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> Comparison:
        """Of readings of the same rounds, in the same order."""
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        return cls(statistics.median(ratios), min(ratios), max(ratios))

    def as_json(self) -> dict[str, Any]:
        return self._asdict()


def per_document_ms(batches: Sequence[Batch], of: str) -> float:
    """Median over the batches of one of a batch's CPU times, by document."""
    return statistics.median(1000 * getattr(batch, of) / batch.documents for batch in batches)


def rotated(things: Sequence[T], by: int) -> list[T]:
    """The same things from another start, so that lanes that read them at once are not at the same one."""
    start = by % len(things) if things else 0
    return [*things[start:], *things[:start]]
