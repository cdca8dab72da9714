"""How many workers there should be, and which go when there are more: decisions about values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ndfd.errors import ConversionOutOfMemory
from ndfd.model.status import WorkerState
from ndfd.protocol.frames import JobFailed
from ndfd.supervisor.conversion import OfJob
from ndfd.supervisor.pooled_worker import PooledWorker

#: Who goes first: one that is ready stays. A busy worker is not among them: it goes when its conversion has ended.
_SPARE = {WorkerState.STARTING: 0, WorkerState.IDLE: 1}

_GOING = {WorkerState.DRAINING, WorkerState.DYING}


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many workers, and how much of one."""

    #: Worker processes that there always are; with 0, the first conversion starts one.
    workers_min: int
    #: That there may be.
    workers_max: int
    #: Conversions after which a worker is replaced.
    jobs_per_worker: int
    #: Resident set above which an idle worker is replaced: what a parser keeps of its largest document is given back
    #: only so. Ten times what a fresh one has.
    rss_max_bytes: int = 1_000_000_000
    #: Seconds after which workers above the minimum that nothing has needed end.
    idle_timeout_s: float = 60.0
    #: CPU time of one conversion in seconds; None for no limit.
    cpu_s: float | None = None


def surplus(workers: Iterable[PooledWorker], wanted: int) -> int:
    """How many of them are too many, those on their way out not counted; 0 or less when none is."""
    return sum(worker.state not in _GOING for worker in workers) - wanted


def to_retire(workers: Iterable[PooledWorker], wanted: int) -> list[PooledWorker]:
    """Those that can go now: the starting before the idle, and of these the longest idle first."""
    workers = list(workers)
    spare = [worker for worker in workers if worker.state in _SPARE]
    spare.sort(key=lambda worker: (_SPARE[worker.state], worker.since))
    return spare[: max(0, surplus(workers, wanted))]


def worn_out(worker: PooledWorker, answer: OfJob, limits: PoolLimits, *, too_many: bool) -> str | None:
    """Why a worker that has just answered is replaced; None when it is not."""
    assert worker.process is not None
    if isinstance(answer, JobFailed) and answer.code == ConversionOutOfMemory.code:
        return "it ran out of memory"
    if worker.served >= limits.jobs_per_worker:
        return f"it has ended {worker.served} conversions"
    if too_many:
        return "there are more workers than are wanted"
    rss_bytes = worker.process.resident_bytes()
    return f"it holds {rss_bytes} bytes" if rss_bytes > limits.rss_max_bytes else None
