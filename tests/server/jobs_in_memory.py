"""Jobs as the doors ask for them, kept in memory: they go on when a test says so."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

import msgspec

from ndfd.errors import JobCancelled, JobNotFinished, JobStateConflict, JobUnknown, KeyReused, NdfdError
from ndfd.model.conversion import ConversionReport, ConvertOptions
from ndfd.model.job_states import JobEvent, JobState, next_state
from ndfd.model.jobs import BackupReport, Job, JobChange, JobFault, JobOptions, JobPage, JobQuery, Submission
from tests.server.results import sealed_result


class Seen(NamedTuple):
    """One submission as it came."""

    document: bytes
    options: JobOptions
    uid: int


class Finished(NamedTuple):
    """What `ndfd.server.job_methods.FinishedJob` asks for."""

    job: Job
    fd: int


class JobsInMemory:
    """Stands in for the store and for what runs its jobs."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        #: What a submission fails with, when it is set.
        self.refusal: BaseException | None = None
        self.queries: list[tuple[JobQuery, int | None]] = []
        self._serial = itertools.count()
        self._jobs: dict[str, Job] = {}
        self._history: dict[str, list[JobChange]] = {}
        self._content: dict[str, bytes] = {}
        self._by_work: dict[Any, str] = {}
        self._watches: set[asyncio.Queue[Job | NdfdError]] = set()

    @property
    def watches(self) -> int:
        """Watches that have not ended."""
        return len(self._watches)

    async def submit(self, document_fd: int, options: JobOptions, *, uid: int) -> Submission:
        document = os.pread(document_fd, os.fstat(document_fd).st_size, 0)
        self.seen.append(Seen(document, options, uid))
        await asyncio.sleep(0)
        if self.refusal is not None:
            raise self.refusal
        work = (uid, document, options.convert.format)
        key = None if options.key is None else (uid, options.key)
        known = self._by_work.get(work if key is None else key)
        if known is not None:
            if key is not None and self._by_work.get(work) != known:
                raise KeyReused("the key belongs to other work")
            return Submission(self._jobs[known], reused=True)
        convert = options.convert
        job = Job(
            id=f"job{next(self._serial):06}",
            state=JobState.QUEUED,
            uid=uid,
            format=convert.format,
            size_bytes=len(document),
            version=1,
            accepted_at=1000.0,
            name=convert.name,
            priority=options.priority,
            pool=convert.pool,
            deadline_s=convert.deadline_s,
            key=options.key,
            labels=options.labels,
        )
        self._by_work[work] = job.id
        if key is not None:
            self._by_work[key] = job.id
        self._keep(job, JobEvent.ACCEPTED)
        return Submission(job, reused=False)

    async def get(self, job_id: str, viewer_uid: int | None) -> Job:
        return self._find(job_id, viewer_uid)

    async def history(self, job_id: str, viewer_uid: int | None) -> tuple[JobChange, ...]:
        return tuple(self._history[self._find(job_id, viewer_uid).id])

    async def list(self, query: JobQuery, viewer_uid: int | None) -> JobPage:
        self.queries.append((query, viewer_uid))
        fitting = [
            job
            for job in reversed(self._jobs.values())
            if viewer_uid in (None, job.uid)
            and query.uid in (None, job.uid)
            and (not query.states or job.state in query.states)
            and query.labels.items() <= job.labels.items()
            and (query.cursor is None or job.id < query.cursor)
        ]
        page = tuple(fitting[: query.limit])
        return JobPage(page, page[-1].id if len(fitting) > query.limit else None)

    async def watch(self, job_ids: tuple[str, ...], viewer_uid: int | None) -> AsyncGenerator[Job, None]:
        jobs = [self._find(job_id, viewer_uid) for job_id in job_ids]
        live = {job.id for job in jobs if not job.state.is_final}
        changes: asyncio.Queue[Job | NdfdError] = asyncio.Queue()
        self._watches.add(changes)
        try:
            for job in jobs:
                yield job
            while live:
                change = await changes.get()
                if isinstance(change, NdfdError):
                    raise change
                if change.id in live:
                    if change.state.is_final:
                        live.remove(change.id)
                    yield change
        finally:
            self._watches.remove(changes)

    async def result(self, job_id: str, viewer_uid: int | None) -> Finished:
        job = self._find(job_id, viewer_uid)
        if not job.state.is_final:
            raise JobNotFinished(f"the job {job.id} is {job.state}")
        if job.state is JobState.CANCELLED:
            raise JobCancelled(f"the job {job.id} was cancelled")
        if job.fault is not None:
            raise job.fault.error()
        return Finished(job, sealed_result(self._content[job.id], ConvertOptions(format=job.format)).fd)

    async def cancel(self, job_id: str, viewer_uid: int | None) -> Job:
        job = self._find(job_id, viewer_uid)
        return job if job.state is JobState.CANCELLED else self._happen(job, JobEvent.CANCELLED)

    async def retry(self, job_id: str, viewer_uid: int | None) -> Job:
        return self._happen(self._find(job_id, viewer_uid), JobEvent.RETRIED, finished_at=None)

    async def forget(self, job_id: str, viewer_uid: int | None) -> None:
        job = self._find(job_id, viewer_uid)
        if not job.state.is_final:
            raise JobStateConflict(f"the job is {job.state}; only one that has ended can be forgotten")
        del self._jobs[job.id], self._history[job.id]

    async def backup(self, fd: int) -> BackupReport:
        os.write(fd, b"a backup")
        return BackupReport(len(self._jobs), 1, 0, 8, 1000.0, "0.1.0")

    # What a test has happen. In the doors' loop: `doors.run(doors.jobs.start(…))`.

    async def start(self, job_id: str) -> None:
        """A run begins."""
        self._happen(self._jobs[job_id], JobEvent.STARTED)

    async def page(self, job_id: str, done: int, total: int) -> None:
        """A page is done: no change that is kept."""
        self._tell(msgspec.structs.replace(self._jobs[job_id], pages_done=done, pages=total))

    async def succeed(self, job_id: str, content: bytes = b"# a result") -> None:
        """A run begins, if none runs, and succeeds."""
        job = self._jobs[job_id]
        if job.state is JobState.QUEUED:
            job = self._happen(job, JobEvent.STARTED)
        report = ConversionReport(3, 1, 0, job.format.media_type, len(content), 0.25, 4096)
        self._content[job_id] = content
        self._happen(job, JobEvent.SUCCEEDED, report=report, finished_at=1001.0)

    async def fail(self, job_id: str, error: NdfdError) -> None:
        """A run begins, if none runs, and fails for good."""
        job = self._jobs[job_id]
        if job.state is JobState.QUEUED:
            job = self._happen(job, JobEvent.STARTED)
        self._happen(job, JobEvent.FAILED, fault=JobFault.of(error), finished_at=1001.0)

    async def stop_watches(self, error: NdfdError) -> None:
        """All watches fail."""
        for watch in self._watches:
            watch.put_nowait(error)

    async def watched(self, watches: int) -> None:
        """Returns when there are so many watches."""
        while len(self._watches) != watches:
            await asyncio.sleep(0)

    def _find(self, job_id: str, viewer_uid: int | None) -> Job:
        job = self._jobs.get(job_id)
        if job is None or viewer_uid not in (None, job.uid):
            raise JobUnknown(f"there is no job {job_id!r}")
        return job

    def _happen(self, job: Job, event: JobEvent, **fields: Any) -> Job:
        state = next_state(job.state, event)
        job = msgspec.structs.replace(job, state=state, version=job.version + 1, **fields)
        self._keep(job, event)
        return job

    def _keep(self, job: Job, event: JobEvent) -> None:
        self._jobs[job.id] = job
        change = JobChange(1000.0 + job.version, event.value, job.state, job.attempts)
        self._history.setdefault(job.id, []).append(change)
        self._tell(job)

    def _tell(self, job: Job) -> None:
        for watch in self._watches:
            watch.put_nowait(job)
