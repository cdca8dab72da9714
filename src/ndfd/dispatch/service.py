"""Durable jobs as the doors see them, and the loop behind."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import msgspec

from ndfd.admission import admit_job
from ndfd.dispatch.audience import Audience
from ndfd.dispatch.conversions import Pools
from ndfd.dispatch.deliveries import WATCH_TARGET
from ndfd.dispatch.hooks import hooks_for
from ndfd.dispatch.incoming import Incoming
from ndfd.dispatch.loop import Loop
from ndfd.dispatch.pace import Pace
from ndfd.dispatch.policy import Policy, pool_name
from ndfd.dispatch.retention import Retention
from ndfd.dispatch.run import Run
from ndfd.errors import QuotaExceeded, StorageFull
from ndfd.model.job_counts import JobCounts
from ndfd.model.job_states import JobEvent, JobState
from ndfd.model.jobs import BackupReport, Job, JobChange, JobFault, JobOptions, JobPage, JobQuery, Submission
from ndfd.model.pools import pool_unknown
from ndfd.store import NewJob, Store, TakenFile

#: Of a whole id; what is shorter is the beginning of one.
_ID_CHARACTERS = 26


class JobResult(NamedTuple):
    """A job that has succeeded, with its result."""

    job: Job
    #: The rendered document: a memfd sealed against every change. Whoever gets it closes it.
    fd: int


class JobService:
    """Made within the event loop that all its calls come from. `start` first; `stop` before pools and store end.

    Of a `viewer_uid` only the jobs are seen that are this user's, all for None.
    """

    def __init__(self, store: Store, pools: Callable[[], Pools], policy: Policy, engine: Callable[[], str]) -> None:
        """`pools` gives those of the configuration that holds; `engine` says what makes results: with another one the
        same work is new work."""
        self._store = store
        self._policy = policy
        self._engine = engine
        self._clock = asyncio.get_running_loop()
        self._loop = Loop(store, pools, policy, self._turned, self._ended)
        self._audience = Audience(self._loop.live)
        self._retention = Retention(store, policy.keep)
        self._incoming = Incoming()
        self._pace = Pace()
        self._ends: Counter[JobEvent] = Counter()
        self._accepted = self._reused = self._refused = 0
        #: What is asked to be cancelled, until the store says that it is: asked twice, it is counted once.
        self._cancelling: set[str] = set()
        store.on_change(self._changed)
        store.on_forgotten(self._audience.forgotten)

    def start(self) -> None:
        """Begins with what is in the queue. The store is started."""
        self._loop.start()
        self._retention.start()

    def reconfigure(self, policy: Policy) -> None:
        """`policy` holds from now on; called when `pools` gives those that it names. What runs goes on."""
        self._policy = policy
        self._loop.reconfigure(policy)
        self._retention.reconfigure(policy.keep)

    async def stop(self, grace_s: float) -> None:
        """Begins nothing more, gives what runs so many seconds, and puts the rest back in the queue.

        What is submitted meanwhile is there for the next life.
        Who watches hears of what ends meanwhile, and then `ShuttingDown`.
        """
        await self._retention.stop()
        await self._loop.stop(grace_s)
        self._audience.close()

    def counts(self) -> JobCounts:
        """The jobs at this moment."""
        totals = self._store.totals()
        return JobCounts(
            queued=totals.queued,
            running=totals.running,
            succeeded=self._ends[JobEvent.SUCCEEDED],
            failed=self._ends[JobEvent.FAILED],
            quarantined=self._ends[JobEvent.QUARANTINED],
            cancelled=self._ends[JobEvent.CANCELLED],
            accepted=self._accepted,
            reused=self._reused,
            refused=self._refused,
            postponed=self._ends[JobEvent.POSTPONED],
            recovered=self._store.recovered,
            oldest_queued_s=self._loop.oldest_queued_s() if totals.queued else None,
            results_held=self._loop.outcomes.held,
            results_held_bytes=self._loop.outcomes.held_bytes,
        )

    async def submit(
        self,
        document_fd: int,
        options: JobOptions,
        *,
        uid: int,
        taken: TakenFile | None = None,
        hooks: tuple[str, ...] | None = None,
    ) -> Submission:
        """Takes a document in: it is on the disk with its job when this returns. The descriptor stays the caller's.

        `taken` is the watched file that it is, and `hooks` are those that may be told of its end, None for all.
        `EmptyDocument`, `DocumentTooLarge`, `PoolUnknown`, `QuotaExceeded`, and what the store raises.
        """
        policy = self._policy
        if (pool := options.convert.pool) is not None and pool not in policy.workers:
            raise pool_unknown(pool, policy.workers)
        size_bytes = os.fstat(document_fd).st_size
        targets = hooks_for(policy.hooks, uid, options.labels, hooks)
        if taken is not None:
            targets += (f"{WATCH_TARGET}{taken.watch}",)
        new = NewJob(uid, options, self._engine(), targets, taken)
        try:
            self._admit(uid, size_bytes)
            with self._incoming.one_more(uid, size_bytes):
                submission = await self._store.submit(new, document_fd)
        except (QuotaExceeded, StorageFull):
            # Whoever missed the answer to what was accepted asks again: there is room for what adds nothing.
            known = await self._store.known(new, document_fd)
            if known is None:
                self._refused += 1
                raise
            submission = Submission(known, reused=True)
        self._accepted += not submission.reused
        self._reused += submission.reused
        return Submission(self._live(submission.job), submission.reused)

    async def get(self, job_id: str, viewer_uid: int | None) -> Job:
        """The job as it is now, by its id or the beginning of it; `JobUnknown`."""
        return self._live(await self._store.get(job_id, viewer_uid))

    async def history(self, job_id: str, viewer_uid: int | None) -> tuple[JobChange, ...]:
        """What happened to it, oldest first; `JobUnknown`."""
        return await self._store.history(job_id, viewer_uid)

    async def list(self, query: JobQuery, viewer_uid: int | None) -> JobPage:
        """Those that fit, newest first."""
        page = await self._store.list(query, viewer_uid)
        return JobPage(tuple(map(self._live, page.jobs)), page.cursor)

    async def watch(self, job_ids: tuple[str, ...], viewer_uid: int | None) -> AsyncIterator[Job]:
        """Each job as it is now, then every change and page of it; ends when all have ended or are forgotten.

        `JobUnknown` before the first of them. Who takes them slowly misses pages, never the end of a job.
        """
        with self._audience.watcher() as (watcher, watch):
            for job_id in dict.fromkeys(job_ids):
                full_id = job_id
                if len(job_id) != _ID_CHARACTERS:
                    full_id = (await self._store.get(job_id, viewer_uid)).id
                # Watched before it is read: or else what happens between the two is missed.
                watch(full_id)
                watcher.put(await self._store.get(full_id, viewer_uid))
            async for job in watcher:
                yield job

    async def result(self, job_id: str, viewer_uid: int | None) -> JobResult:
        """What it gave; `JobUnknown`, `JobNotFinished`, `JobCancelled`, or the error with which it ended."""
        return JobResult(*await self._store.result(job_id, viewer_uid))

    async def cancel(self, job_id: str, viewer_uid: int | None) -> Job:
        """Ends it, and its worker; the same again for one that is cancelled. `JobUnknown`, `JobStateConflict`."""
        self._cancelling.add(job_id)
        try:
            return await self._store.cancel(job_id, viewer_uid)
        finally:
            self._cancelling.discard(job_id)

    async def retry(self, job_id: str, viewer_uid: int | None) -> Job:
        """Has it run anew; `JobUnknown`, `JobStateConflict`, and `QuotaExceeded` as for a new one."""
        job = await self._store.get(job_id, viewer_uid)
        if job.state.is_final:
            self._admit(job.uid, job.size_bytes)
        return self._live(await self._store.retry(job.id, viewer_uid))

    async def forget(self, job_id: str, viewer_uid: int | None) -> None:
        """Erases a finished one; `JobUnknown`, `JobStateConflict`."""
        await self._store.forget(job_id, viewer_uid)

    async def backup(self, fd: int) -> BackupReport:
        """Writes all that is kept to a regular file open for writing, while everything goes on."""
        return await self._store.backup(fd)

    def _admit(self, uid: int, size_bytes: int) -> None:
        load = self._incoming.with_those(uid, self._store.load(uid))
        admit_job(uid, size_bytes, load, self._pace.of(uid, self._clock.time()), self._policy.admission)

    def _changed(self, job: Job) -> None:
        self._loop.changed(job)
        self._audience.changed(job)
        if job.state is JobState.CANCELLED and job.id in self._cancelling:
            self._cancelling.discard(job.id)
            self._count(job, JobEvent.CANCELLED)

    def _turned(self, run: Run) -> None:
        self._audience.turned(run.job)

    def _ended(self, job: Job, event: JobEvent) -> None:
        self._count(job, event)

    def _count(self, job: Job, event: JobEvent) -> None:
        self._ends[event] += 1
        if event is not JobEvent.POSTPONED:
            self._pace.ended(job.uid, job.size_bytes, self._clock.time())
            self._retention.ended()

    def _live(self, job: Job) -> Job:
        """With the pages that are done; one whose pool there is no more says what it waits for."""
        if job.state is JobState.QUEUED and pool_name(job.pool) not in self._policy.workers:
            fault = JobFault.of(pool_unknown(pool_name(job.pool), self._policy.workers))
            return msgspec.structs.replace(job, fault=fault)
        return self._loop.live(job)
