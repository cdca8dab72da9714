"""One life of a process that does to a store all that a daemon does, until it is killed.

Several coroutines hand in works, new ones and ones again; one runs what is ready, as the rule of `MadeWorks` says;
others cancel, retry, forget, expire and read. Each writes into the journal what it asks and what it hears.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from random import Random

from ndfd.errors import Busy, JobError, StoreError
from ndfd.model.conversion import ConversionReport, ConvertOptions, OutputFormat
from ndfd.model.job_states import FINAL, JobEvent, JobState
from ndfd.model.jobs import JobFault, JobOptions
from ndfd.store import Ending, Keep, Leased, NewJob, Store
from ndfd.store.steps import Step
from tests.crash.inspection import digest, jobs_of
from tests.crash.judge import WORK_LABEL, work_of
from tests.crash.ledger import Fate, Journal, Work
from tests.crash.works import MadeWorks

_UIDS = (1000, 1001, 65534)
#: Live jobs, and all that are kept: so many that every kind of change has something to do.
_LIVE_MAX = 60
_KEPT_MAX = 300
_SUBMITTERS = 6
_LIVE = frozenset({JobState.QUEUED, JobState.RUNNING})
_FAILED = FINAL - {JobState.SUCCEEDED}


def memory_file(content: bytes) -> int:
    """A descriptor of these bytes."""
    fd = os.memfd_create("document", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    return fd


class Gate:
    """Many may be in at once, or one alone."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._inside = 0
        self._alone = False

    @contextlib.asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """With others."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone)
            self._inside += 1
        try:
            yield
        finally:
            async with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """With nobody else."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone)
            self._alone = True
            await self._changed.wait_for(lambda: not self._inside)
        try:
            yield
        finally:
            async with self._changed:
                self._alone = False
                self._changed.notify_all()


class StoreLife:
    """The work of one process."""

    def __init__(self, folder: Path, journal: Journal, works: MadeWorks, random: Random) -> None:
        self._folder = folder
        self._journal = journal
        self._ledger = journal.ledger
        self._works = works
        self._random = random
        self._gate = Gate()
        self._unanswered: list[Work] = []
        #: Works that a coroutine hands in, or whose job it changes: their client does one thing at a time with each,
        #: but for handing it in several times at once.
        self._held = Counter[int]()

    async def live(self, reached: Callable[[Step], None], opened: Callable[[], object]) -> None:
        """Works until the process is killed, or the disk is gone; calls `opened` when it has the store open."""
        # What got no answer in the life before is asked again by most clients, and never by others.
        self._unanswered = [
            work for work in self._ledger.works.values() if work.number not in self._ledger.job_of and work.number % 4
        ]
        verbs = (self._cancel, self._retry, self._forget, self._expire, self._read)
        try:
            store = Store.open(self._folder, keep_free_bytes=0, reached=reached)
            opened()
            await store.start()
            async with asyncio.TaskGroup() as tasks:
                for _ in range(_SUBMITTERS):
                    tasks.create_task(self._submit_on(store))
                tasks.create_task(self._run_on(store))
                for verb in verbs:
                    tasks.create_task(self._change_on(store, verb))
        except* (StoreError, OSError) as errors:
            # Of a disk whose power is cut; whoever started this life knows whether it was.
            self._journal.write("stopped", str(errors.exceptions[0]))

    async def drain(self) -> None:
        """Runs all that there is, what was interrupted too often as well, and ends."""
        store = Store.open(self._folder, keep_free_bytes=0)
        await store.start()
        for job in await jobs_of(store):
            if job.state is JobState.QUARANTINED and job.id in self._ledger.jobs:
                self._journal.write("ask", "retry", work_of(job), job.id)
                await store.retry(job.id, job.uid)
                self._journal.write("ack", "retry", work_of(job), job.id)
        while await self._run(store):
            pass
        await store.close()

    async def _submit_on(self, store: Store) -> None:
        while True:
            if store.totals().queued + store.totals().running > _LIVE_MAX:
                await asyncio.sleep(0.001)
                continue
            await self._submit(store, self._some_work() or self._new_work())

    def _new_work(self) -> Work:
        random, number = self._random, len(self._ledger.works)
        own_bytes = random.random() < 0.7
        key = f"key-{number}" if random.random() < 0.5 else None
        work = Work(
            number, random.choice(_UIDS), key, random.randrange(self._works.count), own_bytes,
            priority=random.choice((0, 0, 5, -5)),
        )  # fmt: skip
        return self._journal.add(work)

    def _some_work(self) -> Work | None:
        """One to hand in again: whose answer was lost, or whose job is sure to be there as it was."""
        if self._unanswered:
            return self._unanswered.pop()
        if self._random.random() > 0.3 or not self._ledger.works:
            return None
        work = self._ledger.works[self._random.randrange(len(self._ledger.works))]
        job_id = self._ledger.job_of.get(work.number)
        if job_id is None:
            # Its first answer may be on its way.
            return work if self._held[work.number] else None
        if self._held[work.number] or self._ledger.jobs[job_id].fates != {Fate.ENDED}:
            return None
        return work

    async def _submit(self, store: Store, work: Work) -> None:
        fd = memory_file(self._works.content(work))
        options = JobOptions(
            ConvertOptions(OutputFormat(work.format), name=work.name),
            priority=work.priority,
            key=work.key,
            labels={WORK_LABEL: str(work.number)},
        )
        with self._holding(work.number):
            self._journal.write("ask", "submit", work.number)
            try:
                submission = await store.submit(NewJob(work.uid, options, "engine 1"), fd)
            except Busy as error:
                self._journal.write("fault", f"work {work.number} was refused: {error}")
                return
            finally:
                os.close(fd)
            self._journal.write("ack", "submit", work.number, submission.job.id)

    async def _run_on(self, store: Store) -> None:
        while True:
            async with self._gate.shared():
                ran = await self._run(store)
            if not ran:
                await asyncio.sleep(0.001)

    async def _run(self, store: Store) -> bool:
        ready = await store.ready(store.now(), 4)
        if not ready:
            return False
        leased = await store.lease([each.id for each in ready])
        await asyncio.gather(*(self._finish(store, each) for each in leased))
        for each in leased:
            store.under_way.remove(each.job)
        return True

    async def _finish(self, store: Store, leased: Leased) -> None:
        job, random = leased.job, self._random
        work = self._ledger.works[int(job.labels[WORK_LABEL])]
        store.under_way.add(job)
        if (found := digest(leased.document_fd)) != self._works.document_hash(work):
            self._journal.write("fault", f"job {job.id} was leased with another document: {found}")
        if random.random() < 0.05:
            # For another user's turn; it is ready again at once.
            await store.end(job, Ending(JobEvent.POSTPONED, not_before=store.now(), counts=False))
            return
        store.reached(Step.RUN_ENDED)
        result = self._works.result(work)
        if not result:
            fault = JobFault(self._works.ERROR, "it is damaged", "mend it", retryable=False)
            await store.end(job, Ending(JobEvent.FAILED, fault))
            return
        fd = memory_file(result)
        try:
            report = ConversionReport(1, 0, 0, "text/markdown", len(result), 0.0, 0)
            await store.succeed(job, fd, report)
        finally:
            os.close(fd)

    async def _change_on(self, store: Store, verb: Callable[[Store], Awaitable[bool]]) -> None:
        while True:
            if not await verb(store):
                await asyncio.sleep(0.002)
            # So that what is submitted is mostly left alone.
            await asyncio.sleep(self._random.random() * 0.01)

    async def _cancel(self, store: Store) -> bool:
        return await self._change(store, "cancel", store.cancel, _LIVE)

    async def _retry(self, store: Store) -> bool:
        return await self._change(store, "retry", store.retry, _FAILED)

    async def _forget(self, store: Store) -> bool:
        return await self._change(store, "forget", store.forget, FINAL)

    async def _change(
        self, store: Store, verb: str, change: Callable[[str, int | None], Awaitable[object]], of: frozenset[JobState]
    ) -> bool:
        job_id = await self._chosen(store, of)
        if job_id is None:
            return False
        work = self._ledger.jobs[job_id].work
        async with self._gate.shared():
            if self._held[work]:
                return False
            with self._holding(work):
                self._journal.write("ask", verb, work, job_id)
                try:
                    await change(job_id, self._ledger.works[work].uid)
                except JobError as error:
                    self._journal.write("refused", verb, work, job_id, error.code)
                else:
                    self._journal.write("ack", verb, work, job_id)
        return True

    async def _chosen(self, store: Store, of: frozenset[JobState]) -> str | None:
        """Some job of this kind that its client knows; what it is may have changed already."""
        fitting = [
            job
            for job in await jobs_of(store)
            if job.state in of and job.id in self._ledger.jobs and not self._held[work_of(job)]
        ]
        return self._random.choice(fitting).id if fitting else None

    async def _expire(self, store: Store) -> bool:
        """Has the oldest of those that have ended forgotten by themselves, as many as are too many or a few."""
        async with self._gate.alone():
            final = sorted(
                (job for job in await jobs_of(store) if job.state in FINAL), key=lambda job: (job.finished_at, job.id)
            )
            going = final[: max(self._random.randrange(4), len(final) - _KEPT_MAX)]
            if not going or any(self._held[work_of(job)] for job in going):
                return False
            # Of two that ended at the same moment, either may go.
            if len(going) < len(final) and going[-1].finished_at == final[len(going)].finished_at:
                return False
            # Of a job whose answer was lost nobody says anything, whether it is there or not.
            known = [job for job in going if job.id in self._ledger.jobs]
            for job in known:
                self._journal.write("ask", "forget", work_of(job), job.id)
            gone = await store.expire(Keep(count=len(final) - len(going)))
            if gone != len(going):
                self._journal.write("fault", f"{gone} jobs expired instead of {len(going)}")
            for job in known:
                self._journal.write("ack", "forget", work_of(job), job.id)
        return True

    async def _read(self, store: Store) -> bool:
        """Looks at one that has ended, as its client does."""
        job_id = await self._chosen(store, FINAL)
        if job_id is None:
            return False
        work = self._ledger.jobs[job_id].work
        if self._held[work]:
            return False
        with self._holding(work), contextlib.suppress(JobError):
            job, result = await store.get(job_id, self._ledger.works[work].uid), None
            if job.state not in FINAL:
                return False
            if job.state == "succeeded":
                job, fd = await store.result(job_id, job.uid)
                result = digest(fd)
            self._journal.write("seen", job_id, job.state, job.version, job.attempts, job.finished_at, result)
        return True

    @contextlib.contextmanager
    def _holding(self, work: int) -> Iterator[None]:
        self._held[work] += 1
        try:
            yield
        finally:
            self._held[work] -= 1
