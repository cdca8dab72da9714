"""The rolling restart: every worker is replaced, one by one, while the pool goes on working."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set

from ndfd.model.status import WorkerState
from ndfd.supervisor.changes import Changes
from ndfd.supervisor.pooled_worker import PooledWorker

_READY = {WorkerState.IDLE, WorkerState.BUSY, WorkerState.DRAINING}


def complete(workers: Iterable[PooledWorker], wanted: int) -> bool:
    """Whether all that are wanted are ready, so that one may go without a second one being missing."""
    workers = list(workers)
    return len(workers) >= wanted and all(worker.state in _READY for worker in workers)


def next_to_go(workers: Iterable[PooledWorker], wanted: int, stale: Set[int]) -> PooledWorker | None:
    """The one of the `stale` that is replaced now; None while all have to wait.

    An idle one goes first. Of several busy ones the first that answers goes with its answer, so none of them is chosen
    before: a long document holds up nobody but its own worker. When one is left it takes no other conversion.
    """
    workers = list(workers)
    left = [worker for worker in workers if worker.number in stale]
    if not left or not complete(workers, wanted):
        return None
    idle = [worker for worker in left if worker.state is WorkerState.IDLE]
    if idle:
        return min(idle, key=lambda worker: worker.since)
    return left[0] if len(left) == 1 and left[0].state is WorkerState.BUSY else None


class Renewal:
    """Of one pool, whose `workers` it looks at, and whose `changes` wake it."""

    def __init__(self, workers: Mapping[int, PooledWorker], wanted: Callable[[], int], changes: Changes) -> None:
        self._workers = workers
        self._wanted = wanted
        self._changes = changes
        #: Numbers of the workers that are to be replaced; of one that is gone it means nothing.
        self._stale: set[int] = set()

    def is_due(self, worker: PooledWorker) -> bool:
        """Whether a worker that has answered is replaced now."""
        return worker.number in self._stale and complete(self._workers.values(), self._wanted())

    async def run(self, retire: Callable[[PooledWorker], None]) -> None:
        """Returns when every worker that there was is gone, and those that came in their places are ready.

        Two at the same time do not disturb each other. One that is cancelled leaves those that it has not reached.
        """
        stale = set(self._workers)
        self._stale |= stale
        try:
            while stale & self._workers.keys():
                if (worker := next_to_go(self._workers.values(), self._wanted(), self._stale)) is not None:
                    retire(worker)
                await self._changes.next()
        finally:
            self._stale -= stale
        fresh = [worker for worker in self._workers.values() if worker.state is WorkerState.STARTING]
        while any(worker.state is WorkerState.STARTING for worker in fresh):
            await self._changes.next()
