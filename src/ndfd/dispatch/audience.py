"""Who watches jobs, and hears of each change of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator

from ndfd.errors import ShuttingDown
from ndfd.model.jobs import Job

#: Pages that all watchers together are told of in a second; beyond it each hears of several at once. Telling one costs
#: some 20 microseconds with its door, and a thousand may watch a job of a thousand pages a second.
PAGES_PER_S = 2000.0


class Watcher:
    """Takes the jobs that it watches one by one. What it has not taken is replaced by what is newer.

    So it holds no more than the last state of each job, however slowly it takes them.
    """

    def __init__(self, live: Callable[[Job], Job]) -> None:
        self._live = live
        self._left: set[str] = set()
        #: To be taken.
        self._pending: dict[str, Job] = {}
        #: What was put in last, so that nothing older replaces it.
        self._versions: dict[str, int] = {}
        self._wakes: asyncio.Future[None] | None = None
        self._closed = False

    def __aiter__(self) -> Watcher:
        return self

    async def __anext__(self) -> Job:
        while True:
            if self._pending:
                job = self._pending.pop(next(iter(self._pending)))
                if job.state.is_final:
                    self._left.discard(job.id)
                return self._live(job)
            if not self._left:
                raise StopAsyncIteration
            if self._closed:
                raise ShuttingDown("the daemon is stopping; its jobs go on when it is back")
            self._wakes = asyncio.get_running_loop().create_future()
            await self._wakes

    def join(self, job_id: str) -> None:
        """It watches this job from now on."""
        self._left.add(job_id)

    def put(self, job: Job) -> None:
        """The job is so now."""
        if job.id in self._left and job.version >= self._versions.get(job.id, 0):
            self._versions[job.id] = job.version
            self._pending[job.id] = job
            self._wake()

    def leave(self, job_id: str) -> None:
        """The job is gone. Its end, when it was not taken yet, still is."""
        self._left.discard(job_id)
        pending = self._pending.get(job_id)
        if pending is not None and not pending.state.is_final:
            del self._pending[job_id]
        self._wake()

    def close(self) -> None:
        """Nothing more will happen; what did is taken before."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._wakes is not None and not self._wakes.done():
            self._wakes.set_result(None)


class Audience:
    """Every watcher. Who watches nothing of a change costs it nothing."""

    def __init__(self, live: Callable[[Job], Job]) -> None:
        """`live` adds the pages that are done."""
        self._live = live
        self._watchers: defaultdict[str, set[Watcher]] = defaultdict(set)
        #: Jobs with pages that nobody has been told of.
        self._turned: dict[str, Job] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @contextlib.contextmanager
    def watcher(self) -> Iterator[tuple[Watcher, Callable[[str], None]]]:
        """One more, for the length of the block, and what it is to be called with for each job that it watches."""
        watcher = Watcher(self._live)
        watched: set[str] = set()

        def watch(job_id: str) -> None:
            watched.add(job_id)
            watcher.join(job_id)
            self._watchers[job_id].add(watcher)

        if self._closed:
            watcher.close()
        try:
            yield watcher, watch
        finally:
            for job_id in watched:
                self._watchers[job_id].discard(watcher)
                if not self._watchers[job_id]:
                    del self._watchers[job_id]

    def changed(self, job: Job) -> None:
        """The store tells of a job as it is now."""
        for watcher in self._watchers.get(job.id, ()):
            watcher.put(job)

    def turned(self, job: Job) -> None:
        """A page of this job, as it was leased, is done."""
        if job.id in self._watchers:
            self._turned[job.id] = job
            if self._timer is None:
                self._tell()

    def forgotten(self, job_id: str) -> None:
        """The job is gone."""
        for watcher in self._watchers.get(job_id, ()):
            watcher.leave(job_id)

    def close(self) -> None:
        """Nothing more will happen."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.close()

    def _tell(self) -> None:
        self._timer = None
        if not self._turned:
            return
        told = 0
        for job in self._turned.values():
            for watcher in self._watchers.get(job.id, ()):
                watcher.put(job)
                told += 1
        self._turned.clear()
        self._timer = asyncio.get_running_loop().call_later(told / PAGES_PER_S, self._tell)
