"""Whether a pool makes progress: a decision about values. What it finds, nobody else would ever end."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ndfd.model.status import WorkerState
from ndfd.supervisor.conversion import Conversion
from ndfd.supervisor.pooled_worker import PooledWorker
from ndfd.supervisor.snapshot import Load

#: Seconds after its deadline in which a conversion has been ended: that is a timer and a kill.
OVERDUE_S = 30.0
#: Seconds in which a worker is there or could not be started: whatever it waits for, a zygote that starts among it, has
#: limits of its own, which come to less.
START_S = 600.0
#: Seconds in which a conversion is with a worker that may take it and has nothing to do.
IDLE_S = 60.0


def stuck(
    workers: Collection[PooledWorker],
    waiting: Iterable[Conversion],
    assignable: Iterable[tuple[Conversion, PooledWorker]],
    now: float,
) -> str | None:
    """Why nothing goes on although it should; None while all is well.

    `assignable` are those of the `waiting` that could be given to a worker, each with that one.
    """
    at_work = (worker.conversion for worker in workers if worker.conversion is not None)
    for conversion in (*waiting, *at_work):
        if (late_s := now - conversion.due_at) > OVERDUE_S:
            return f"conversion {conversion.number} was not ended at its deadline, {late_s:.0f} s ago"
    for worker in workers:
        if worker.state is WorkerState.STARTING and (waited_s := now - worker.since) > START_S:
            return f"the start of worker {worker.number} has come to no end for {waited_s:.0f} s"
    for conversion, worker in assignable:
        if (idle_s := min(now - conversion.asked_at, now - worker.since)) > IDLE_S:
            return f"conversion {conversion.number} waits, with worker {worker.number} idle for {idle_s:.0f} s"
    return None


def load(workers: Collection[PooledWorker], queued: int, trouble: str | None) -> Load:
    """How much is going on."""
    ready = sum(worker.is_ready for worker in workers)
    return Load(ready, sum(worker.conversion is not None for worker in workers), queued, trouble)
