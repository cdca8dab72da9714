"""How many workers there should be, and which go when there are more: decisions about values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ndfd.model.status import WorkerState
from ndfd.supervisor.pooled_worker import PooledWorker

#: Who goes first: one that is ready stays. A busy worker is not among them: it goes when its conversion has ended.
_SPARE = {WorkerState.STARTING: 0, WorkerState.IDLE: 1}


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many workers, and how much of one."""

    #: Worker processes that are kept when there is nothing to do.
    workers_min: int
    #: Worker processes at most.
    workers_max: int
    #: Conversions after which a worker is replaced.
    jobs_per_worker: int
    #: Resident set above which an idle worker is replaced: what a parser keeps of its largest document is given back
    #: only so. Ten times what a fresh one has.
    rss_max_bytes: int = 1_000_000_000
    #: Seconds without work after which a worker above `workers_min` ends.
    idle_timeout_s: float = 60.0


def wanted(limits: PoolLimits, in_flight: int, *, winding_down: bool) -> int:
    """How many workers there should be; a pool that winds down keeps one for each conversion, and one for the next."""
    return min(limits.workers_max, max(1, in_flight)) if winding_down else limits.workers_max


def surplus(workers: Iterable[PooledWorker], wanted: int) -> int:
    """How many of them are too many, those on their way out not counted; 0 or less when none is."""
    return sum(worker.state is not WorkerState.DYING for worker in workers) - wanted


def to_retire(workers: Iterable[PooledWorker], wanted: int) -> list[PooledWorker]:
    """Those that can go now: the starting before the idle, and of these the longest idle first."""
    workers = list(workers)
    spare = [worker for worker in workers if worker.state in _SPARE]
    spare.sort(key=lambda worker: (_SPARE[worker.state], worker.since))
    return spare[: max(0, surplus(workers, wanted))]
