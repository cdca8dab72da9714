"""One leased job on its way to a worker and back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from ndfd.dispatch.conversions import Pools
from ndfd.dispatch.places import Places
from ndfd.dispatch.policy import pool_name
from ndfd.model.conversion import Converted, PageReport
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job
from ndfd.store import Leased

#: For so long, and for no more than this part of its deadline, a job waits behind all conversions whose callers wait on
#: their connections; then it is served in its turn, so that those cannot keep it from workers for ever.
PATIENCE_S = 5.0
PATIENCE_PART = 0.25


class Told(NamedTuple):
    """What is called with a run when something happens to it, from the event loop."""

    #: It may have a worker as soon as one is free.
    on_place: Callable[[Run], None]
    #: A worker has its document.
    on_worker: Callable[[Run], None]
    #: A page is done.
    on_page: Callable[[Run], None]


class Run:
    """Waits for a place, has a worker, is over."""

    def __init__(self, leased: Leased, places: Places, deadline_s: float, alone: asyncio.Lock | None) -> None:
        """`deadline_s` is counted from the moment in which a worker may have it. Of those with the same `alone` one
        runs at a time."""
        self.job = leased.job
        self.document_fd = leased.document_fd
        self.pool = pool_name(leased.job.pool)
        #: Whether it waits for a worker or has one.
        self.at_work = True
        #: In the event loop's time; None before it has its place.
        self.begun_at: float | None = None
        #: Whether it was stopped for the daemon's sake, and the job waits for another run.
        self.put_back = False
        self._options = msgspec.structs.replace(leased.convert, deadline_s=deadline_s)
        self._deadline_s = deadline_s
        self._places = places
        self._alone = alone
        self._has_turn = False
        self._conversion: asyncio.Task[Converted] | None = None
        #: Whether a worker has had its document.
        self.had_worker = False
        self._pages_done = 0
        self._pages: int | None = None

    def convert(self, pools: Pools, told: Told) -> asyncio.Task[Converted]:
        """Begins; the document's descriptor is not needed any more when that is done."""
        conversion = asyncio.create_task(self._convert(pools, told), name=f"job {self.job.id}")
        self._conversion = conversion
        return conversion

    def stop(self) -> None:
        """A worker that is at it is ended; nothing happens when it is done already."""
        if self._conversion is not None:
            self._conversion.cancel()

    def end(self) -> None:
        """What became of it is written, or will not be: who runs alone, too, may be the next."""
        if self._alone is not None and self._has_turn:
            self._alone.release()

    def live(self, job: Job) -> Job:
        """The job with the pages that this run has done, when it is this run that goes on."""
        if job.state is not JobState.RUNNING or job.version != self.job.version or self._pages is None:
            return job
        return msgspec.structs.replace(job, pages_done=self._pages_done, pages=self._pages)

    async def _convert(self, pools: Pools, told: Told) -> Converted:
        def tell(page: PageReport) -> None:
            # Counted, for pages of a document that several workers read do not come in order.
            self._pages_done += 1
            self._pages = page.total
            told.on_page(self)

        def got_worker() -> None:
            self.had_worker = True
            told.on_worker(self)

        clock = asyncio.get_running_loop()
        if self._alone is not None:
            self._has_turn = await self._alone.acquire()
        await self._places.take()
        try:
            told.on_place(self)
            with pools.held(self.job.pool) as conversions:
                patient_until = clock.time() + min(PATIENCE_S, self._deadline_s * PATIENCE_PART)
                return await conversions.convert(
                    self.document_fd,
                    self._options,
                    uid=self.job.uid,
                    on_page=tell,
                    background=lambda: clock.time() < patient_until,
                    on_worker=got_worker,
                )
        finally:
            self._places.give_back()
