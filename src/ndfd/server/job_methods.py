"""The methods of durable jobs, behind both doors and knowing neither."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from typing import Protocol

from ndfd.admission import Limits, check_size
from ndfd.errors import JobStateConflict, JobUnknown, NotPermitted, NotSupported, ShuttingDown, UsageError
from ndfd.model.jobs import BackupReport, Job, JobChange, JobOptions, JobPage, JobQuery, Submission
from ndfd.model.printable import printable
from ndfd.platform import Peer
from ndfd.server.access import ACCESS, Rule, administrators, check_access
from ndfd.server.intake import Intake, check_backup_target, document_size
from ndfd.server.occupancy import Arriving, Occupancy
from ndfd.server.options import check_job_options, check_query

#: Of one call. Each costs some hundred bytes for as long as it is watched.
WATCHED_MAX = 10_000

#: What can be an id, or the beginning of one. Whatever else is asked for cannot be there, and goes no further.
_ID = re.compile(r"[0-9A-Za-z]{1,64}")


class FinishedJob(Protocol):
    """A job that has succeeded, with its result."""

    @property
    def job(self) -> Job:
        """The job; it has a `report`."""

    @property
    def fd(self) -> int:
        """The rendered result: a memfd sealed against every change. Whoever gets it closes it."""


class Jobs(Protocol):
    """Who keeps jobs and has them run.

    Of a `viewer_uid` only the jobs are seen that are this user's, all for None; another's fails with `JobUnknown`
    exactly as one that there is not.
    """

    async def submit(self, document_fd: int, options: JobOptions, *, uid: int) -> Submission:
        """Takes a document on; at the return, it and its job are on the disk.

        `document_fd` stays the caller's and is not needed after the return. `KeyReused`, `QuotaExceeded`,
        `StorageFull`, `StoreError`, `DocumentChanged`.
        """

    async def get(self, job_id: str, viewer_uid: int | None) -> Job:
        """The job as it is now."""

    async def history(self, job_id: str, viewer_uid: int | None) -> tuple[JobChange, ...]:
        """What happened to it, oldest first."""

    async def list(self, query: JobQuery, viewer_uid: int | None) -> JobPage:
        """Those that fit the query."""

    def watch(self, job_ids: tuple[str, ...], viewer_uid: int | None) -> AsyncIterator[Job]:
        """Each job as it is now, then every change and page of it; ends when all have ended.

        `JobUnknown` comes before the first of them. Who takes them slowly misses pages, never the end of a job. Fails
        with `ShuttingDown` when the jobs are stopped: or else whoever waits would keep the daemon from its end.
        """

    async def result(self, job_id: str, viewer_uid: int | None) -> FinishedJob:
        """What it gave; `JobNotFinished`, `JobCancelled` or the error that it ended in."""

    async def cancel(self, job_id: str, viewer_uid: int | None) -> Job:
        """Ends it; the same again for one that is cancelled, `JobStateConflict` for one that ended otherwise."""

    async def retry(self, job_id: str, viewer_uid: int | None) -> Job:
        """Has it run anew; `JobStateConflict` unless it failed, was quarantined or cancelled."""

    async def forget(self, job_id: str, viewer_uid: int | None) -> None:
        """Erases it; `JobStateConflict` before its end."""

    async def backup(self, fd: int) -> BackupReport:
        """Writes all that is kept to a regular file or a pipe open for writing."""


class JobMethods:
    """What a caller can have done with jobs, in one generation of the configuration.

    Each method takes the kernel's word for who calls, and checks it first. Administrators reach everybody's jobs.
    """

    def __init__(
        self,
        jobs: Jobs | None,
        occupancy: Occupancy,
        arriving: Arriving,
        limits: Limits,
        check_pool: Callable[[str], None],
        *,
        admins: frozenset[int] = frozenset(),
        access: Mapping[str, Rule] = ACCESS,
    ) -> None:
        """`check_pool` raises `PoolUnknown` unless there is a pool of that name."""
        self._jobs = jobs
        self._occupancy = occupancy
        self._arriving = arriving
        self._limits = limits
        self._check_pool = check_pool
        self._admins = admins
        self._access = access

    @contextlib.contextmanager
    def intake(self, peer: Peer, options: JobOptions, size_bytes: int | None) -> Iterator[Intake]:
        """A place for the document of a job until it is submitted, for the length of the block.

        Refused before it comes is what `submit` would refuse. `size_bytes` is None where it is not known; then the
        bytes count as they come. `Busy` when there are too many on their way.
        """
        self._check_submission(peer, options, size_bytes)
        document_max_bytes = self._limits.document_max_bytes
        with self._arriving.one_more(peer.uid, document_max_bytes) as count:
            if size_bytes is None:
                intake = Intake(document_max_bytes, count)
            else:
                count(size_bytes)
                intake = Intake(document_max_bytes)
            with intake:
                yield intake

    async def submit(self, peer: Peer, document_fd: int, options: JobOptions) -> Submission:
        """Takes the document on as a job, which is on the disk at the return; the descriptor stays the caller's."""
        jobs = self._jobs_for("io.ndfd.Jobs.Submit", peer)
        self._check_submission(peer, options, document_size(document_fd))
        return await jobs.submit(document_fd, options, uid=peer.uid)

    async def get(self, peer: Peer, job_id: str) -> Job:
        """The job as it is now."""
        return await self._jobs_for("io.ndfd.Jobs.Get", peer).get(_known_form(job_id), self._viewer(peer))

    async def history(self, peer: Peer, job_id: str) -> tuple[JobChange, ...]:
        """What happened to the job, oldest first."""
        return await self._jobs_for("io.ndfd.Jobs.Get", peer).history(_known_form(job_id), self._viewer(peer))

    async def list(self, peer: Peer, query: JobQuery) -> JobPage:
        """The jobs that fit the query; of other users for administrators only."""
        jobs = self._jobs_for("io.ndfd.Jobs.List", peer)
        check_query(query)
        viewer_uid = self._viewer(peer)
        if query.uid is not None and viewer_uid is not None and query.uid != viewer_uid:
            raise NotPermitted(f"the jobs of user {query.uid} are listed for that user and for administrators only")
        return await jobs.list(query, viewer_uid)

    @contextlib.asynccontextmanager
    async def watched(self, peer: Peer, job_ids: tuple[str, ...]) -> AsyncIterator[AsyncIterator[Job]]:
        """What happens to these jobs, for the length of the block; nothing of it stays behind."""
        jobs = self._jobs_for("io.ndfd.Jobs.Watch", peer)
        if not 1 <= len(job_ids) <= WATCHED_MAX:
            raise UsageError(f"{len(job_ids)} jobs are named; from 1 to {WATCHED_MAX} can be watched at a time")
        changes = jobs.watch(tuple(dict.fromkeys(map(_known_form, job_ids))), self._viewer(peer))
        try:
            yield changes
        finally:
            # Left to the collector, a generator that was not taken to its end would go on for a while.
            if isinstance(changes, AsyncGenerator):
                await changes.aclose()

    async def result(self, peer: Peer, job_id: str) -> FinishedJob:
        """What the job gave; the caller closes the descriptor."""
        return await self._jobs_for("io.ndfd.Jobs.Result", peer).result(_known_form(job_id), self._viewer(peer))

    async def cancel(self, peer: Peer, job_id: str) -> Job:
        """Ends the job."""
        return await self._jobs_for("io.ndfd.Jobs.Cancel", peer).cancel(_known_form(job_id), self._viewer(peer))

    async def retry(self, peer: Peer, job_id: str) -> Job:
        """Has the job run anew."""
        return await self._jobs_for("io.ndfd.Jobs.Retry", peer).retry(_known_form(job_id), self._viewer(peer))

    async def forget(self, peer: Peer, job_id: str) -> None:
        """Erases the job, which has ended."""
        await self._jobs_for("io.ndfd.Jobs.Forget", peer).forget(_known_form(job_id), self._viewer(peer))

    async def delete(self, peer: Peer, job_id: str) -> None:
        """Erases the job, which is cancelled first when it has not ended."""
        try:
            await self.forget(peer, job_id)
        except JobStateConflict:
            # It may have ended meanwhile.
            with contextlib.suppress(JobStateConflict):
                await self.cancel(peer, job_id)
            await self.forget(peer, job_id)

    async def backup(self, peer: Peer, fd: int) -> BackupReport:
        """Writes all that is kept to the file or pipe behind `fd`, which stays the caller's."""
        jobs = self._jobs_for("io.ndfd.Jobs.Backup", peer)
        check_backup_target(fd)
        return await jobs.backup(fd)

    def _check_submission(self, peer: Peer, options: JobOptions, size_bytes: int | None) -> None:
        self._jobs_for("io.ndfd.Jobs.Submit", peer)
        if self._occupancy.closed:
            raise ShuttingDown("the daemon is stopping and takes no new jobs")
        check_job_options(options)
        if options.convert.pool is not None:
            self._check_pool(options.convert.pool)
        if size_bytes is not None:
            check_size(size_bytes, self._limits)

    def _jobs_for(self, method: str, peer: Peer) -> Jobs:
        check_access(method, peer, self._admins, self._access)
        if self._jobs is None:
            raise NotSupported(
                "this daemon keeps no jobs",
                hint="jobs need a daemon that stays, with [jobs] enabled = true: `ndfd run`, or its service",
            )
        return self._jobs

    def _viewer(self, peer: Peer) -> int | None:
        return None if administrators(peer, self._admins) else peer.uid


def _known_form(job_id: str) -> str:
    if not _ID.fullmatch(job_id):
        raise JobUnknown(f"there is no job {printable(job_id, 64)!r}")
    return job_id
