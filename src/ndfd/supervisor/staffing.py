"""How many workers there should be, and which go when there are more: decisions about values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ndfd.errors import ConversionOutOfMemory
from ndfd.model.status import WorkerState
from ndfd.protocol.frames import JobFailed
from ndfd.supervisor.assignment import Reuse
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
    #: Which further documents a worker may see.
    reuse: Reuse = Reuse.UID


#: Fresh workers kept ready beside those at work, where each document has one of its own: a fork takes a few
#: milliseconds and a conversion rarely less, so that a few are never all used up.
_SPARES_MAX = 4


def spares(limits: PoolLimits, wanted: int) -> int:
    """How many workers are kept beside the `wanted` ones, for those that come after the present documents."""
    return min(wanted, _SPARES_MAX) if limits.reuse is Reuse.NEVER else 0


def idle_for_work(limits: PoolLimits, wanted: int, workers: Iterable[PooledWorker]) -> int | None:
    """How many of the idle may be given work, so that no more than are wanted are at it; None for all of them."""
    if not spares(limits, wanted):
        return None
    return max(0, wanted - sum(worker.state is WorkerState.BUSY for worker in workers))


def outlived(workers: Iterable[PooledWorker], former: PoolLimits, limits: PoolLimits) -> list[PooledWorker]:
    """The workers that other limits leave no further document."""
    # What a worker has seen under the former rule may be more than this one allows.
    stricter = limits.reuse is not former.reuse and limits.reuse is not Reuse.ANY
    return [
        worker
        for worker in workers
        if (worker.state is WorkerState.IDLE and worker.served >= limits.jobs_per_worker)
        or (worker.state in (WorkerState.IDLE, WorkerState.BUSY) and worker.uid is not None and stricter)
    ]


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
    if limits.reuse is Reuse.NEVER:
        return "it has seen a document"
    if worker.served >= limits.jobs_per_worker:
        return f"it has ended {worker.served} conversions"
    if too_many:
        return "there are more workers than are wanted"
    rss_bytes = worker.process.resident_bytes()
    return f"it holds {rss_bytes} bytes" if rss_bytes > limits.rss_max_bytes else None
