"""The store: jobs, their documents and results, on the disk before anybody is told that they are."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from ndfd.errors import Busy, JobCancelled, JobNotFinished, JobUnknown, NdfdError, StoreDamaged, StoreError
from ndfd.model.conversion import ConversionReport
from ndfd.model.job_states import JobEvent, JobState
from ndfd.model.jobs import BackupReport, Job, JobChange, JobFault, JobPage, JobQuery, Submission
from ndfd.store import reading, recovery
from ndfd.store.backups import Backups
from ndfd.store.commits import Commits, Outcome
from ndfd.store.database import connect, connect_reader, errors_in, ours
from ndfd.store.deliveries import Delivered, DeliveryFailed, DropTaken
from ndfd.store.files import Files, close_unwanted
from ndfd.store.folder_owner import make, refuse_others
from ndfd.store.leases import End, Lease, LoseDocument, LoseResult, Run, Succeed
from ndfd.store.listeners import Listeners
from ndfd.store.lock import FolderLock
from ndfd.store.manifest import DATABASE, SPOOL
from ndfd.store.owners import Cancel, Forget, Retry
from ndfd.store.reader import Reader
from ndfd.store.retention import AT_ONCE, Expire
from ndfd.store.rows import JobRow, convert_options, decode, shown
from ndfd.store.space import KEEP_FREE_BYTES, FreeSpace
from ndfd.store.spool import SMALL_BYTES, Spool, hash_of
from ndfd.store.steps import Step
from ndfd.store.submission import Submit, fingerprint_of
from ndfd.store.values import Delivery, Ending, Keep, Leased, Load, NewJob, Ready, Totals
from ndfd.store.work import Operation, Put

T = TypeVar("T")

#: Seconds until a job is leased again whose document the disk would not give.
_READ_AGAIN_S = 5.0


class Store:
    """What `open` gives. All calls but `now`, `load`, `totals`, `pinned` and `reader` wait for the disk.

    Whatever is awaited here is not undone when the one who awaits it is cancelled: it happens, or has happened.
    """

    def __init__(
        self,
        folder: Path,
        lock: FolderLock,
        keep_free_bytes: int,
        reached: Callable[[Step], None],
        opening: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.reached = reached
        self._lock = lock
        self._space = FreeSpace(folder, keep_free_bytes)
        self._listeners = Listeners()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Future[None] | None = None
        self._spool = Spool(folder / SPOOL)
        life = recovery.begin_life(self._database, self._spool, opening)
        self._clock, self.epoch, self._secret = life.clock, life.epoch, life.secret
        self.under_way = life.under_way
        #: Jobs that an earlier life of the daemon had under way.
        self.recovered = life.taken_back
        self._reader = Reader(self._database)
        # Where few jobs fit, a list goes through all there are: what runs next shall not wait for that.
        self._lister = Reader(self._database)
        self._commits = Commits(
            functools.partial(connect, self._database),
            self._spool,
            epoch=self.epoch,
            now=self._clock.now,
            tally=recovery.tally,
            reached=lambda step: self.reached(step),
            done=self._done,
            reset_readers=self._reset_readers,
        )
        self._files = Files(folder)
        self._backups = Backups(self._database, self.pinned, keep_free_bytes)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        keep_free_bytes: int = KEEP_FREE_BYTES,
        reached: Callable[[Step], None] = lambda step: None,
        opening: Callable[[str], None] = lambda doing: None,
    ) -> Store:
        """The store in this folder, which is made where there is none. Blocks while it looks at all that it holds.

        `opening` is told what it does, again and again while that goes on ("checking the job store").
        `StoreError` when it cannot be used: another daemon has it, a newer ndfd made it, the disk refuses;
        `StoreDamaged` when it is not what was written.
        """
        lock = FolderLock(folder)
        try:
            make(folder)
            refuse_others(folder)
            lock.take()
        except OSError as error:
            raise StoreError(f"the state folder {folder} cannot be used: {error.strerror}") from error
        try:
            return cls(folder, lock, keep_free_bytes, reached, opening)
        except (OSError, sqlite3.Error) as error:
            lock.release()
            raise ours(error, folder) from error
        except BaseException:
            lock.release()
            raise

    async def start(self) -> None:
        """From the event loop in which it is used from now on."""
        self._loop = asyncio.get_running_loop()
        self._commits.start()

    async def close(self) -> None:
        """Returns when all that was asked for is done, and everything is closed. Goes on when it is cancelled."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().run_in_executor(None, self._close)
        await asyncio.shield(self._closing)

    def _close(self) -> None:
        self._backups.close()
        self._files.stop()
        self._commits.stop()
        self._reader.stop()
        self._lister.stop()
        self.under_way.close()
        self._lock.release()

    @property
    def _database(self) -> Path:
        return self.folder / DATABASE

    def now(self) -> float:
        """The store's time, seconds since 1970: it never goes back."""
        return self._clock.now()

    def on_change(self, listener: Callable[[Job], None]) -> None:
        """It is called in the event loop after each commit with each job that the commit changed, as it is now."""
        self._listeners.of_changes.append(listener)

    def on_forgotten(self, listener: Callable[[str], None]) -> None:
        """It is called in the event loop with the id of each job that was forgotten."""
        self._listeners.of_forgotten.append(listener)

    # Coming in

    async def submit(self, new: NewJob, document_fd: int) -> Submission:
        """Takes a job in: it is on the disk, document and all, when this returns.

        `KeyReused`, `StorageFull`, `DocumentChanged`, `StoreError`. The descriptor stays the caller's.
        """
        with errors_in(self.folder):
            self._space.take(os.fstat(document_fd).st_size)
        return await self._put(functools.partial(Submit, new, document_fd, self._secret))

    async def known(self, new: NewJob, document_fd: int) -> Job | None:
        """The job that `submit` would answer with and leave as it is; None where it would add anything.

        Reads the document, and writes nothing.
        """
        if new.taken is not None:
            return None
        digest = await self._files.do(hash_of, document_fd)
        return await self._reader.ask(
            reading.known, new.uid, new.options.key, fingerprint_of(new, digest, self._secret)
        )

    # Running

    async def ready(self, now: float, per_line: int) -> tuple[Ready, ...]:
        """The first of each user's queued jobs that may run, for each pool so many, by rank."""
        return await self._reader.ask(reading.ready, now, per_line)

    async def next_due(self) -> float | None:
        """When the next postponed job may run; None where none waits for a moment to come."""
        return await self._reader.ask(reading.next_due, self.now())

    async def lease(self, ids: Sequence[str]) -> tuple[Leased, ...]:
        """Those of these jobs that still wait: they are this daemon's to run now.

        One whose document is damaged or missing has failed instead.
        """
        rows = await self._perform(Lease(ids))
        opening = [asyncio.ensure_future(self._leased(row)) for row in rows]
        try:
            leased = await asyncio.gather(*opening)
        except BaseException:
            # Nobody gets any of them.
            for each in opening:
                each.add_done_callback(close_unwanted)
            raise
        return tuple(job for job in leased if job is not None)

    async def _leased(self, row: JobRow) -> Leased | None:
        try:
            fd = await self._files.open(self._spool.open, row.document)
        except StoreDamaged as error:
            await self._perform(LoseDocument(Run.of(row), row.document, error))
            return None
        except NdfdError as error:
            # The disk may answer later; it is not the document's fault, and counts as no attempt.
            again = Ending(JobEvent.POSTPONED, JobFault.of(error), self.now() + _READ_AGAIN_S, counts=False)
            await self._perform(End(Run.of(row), again))
            return None
        return Leased(decode(row), convert_options(row), fd)

    async def succeed(self, leased: Job, result_fd: int, report: ConversionReport) -> bool:
        """Gives the job, as it was leased, its result; False, and nothing is kept, when it is in that run no more."""
        return await self._put(functools.partial(Succeed, Run.of(leased), result_fd, report))

    async def end(self, leased: Job, ending: Ending) -> bool:
        """The run of the job, as it was leased, has ended without a result; False when it is in that run no more."""
        return await self._perform(End(Run.of(leased), ending))

    # Owners

    async def cancel(self, job_id: str, viewer_uid: int | None) -> Job:
        """The job ends; `JobUnknown`, `JobStateConflict` when it has ended otherwise."""
        return await self._perform(Cancel(job_id, viewer_uid))

    async def retry(self, job_id: str, viewer_uid: int | None) -> Job:
        """The job runs anew; `JobUnknown`, `JobStateConflict`."""
        return await self._perform(Retry(job_id, viewer_uid))

    async def forget(self, job_id: str, viewer_uid: int | None) -> None:
        """Erases a finished job; `JobUnknown`, `JobStateConflict`."""
        await self._perform(Forget(job_id, viewer_uid))

    async def get(self, job_id: str, viewer_uid: int | None) -> Job:
        """By its id or, where only one fits, by the first 6 or more characters of it; `JobUnknown`."""
        return await self._reader.ask(reading.job, job_id, viewer_uid)

    async def history(self, job_id: str, viewer_uid: int | None) -> tuple[JobChange, ...]:
        """What happened to it, oldest first; `JobUnknown`."""
        return await self._reader.ask(reading.history, job_id, viewer_uid)

    async def list(self, query: JobQuery, viewer_uid: int | None) -> JobPage:
        """Those that fit, newest first."""
        return await self._lister.ask(reading.page, query, viewer_uid)

    async def result(self, job_id: str, viewer_uid: int | None) -> tuple[Job, int]:
        """The job and its result in sealed memory, which the receiver closes.

        `JobUnknown`, `JobNotFinished`, `JobCancelled`, or the error with which the job ended. `Busy` when the result
        was found damaged: the job runs again.
        """
        row = await self._reader.ask(reading.row, job_id, viewer_uid)
        job = shown(row)
        if job.state is JobState.CANCELLED:
            raise JobCancelled(f"job {job.id} was cancelled")
        if not job.state.is_final:
            raise JobNotFinished(f"job {job.id} is {job.state.value}")
        if row.result is None or job.state is not JobState.SUCCEEDED:
            raise JobFault.error(job.fault) if job.fault else StoreDamaged(f"job {job.id} has neither result nor fault")
        try:
            return job, await self._files.open(self._spool.sealed_copy, row.result)
        except StoreDamaged as error:
            if not await self._perform(LoseResult(job.id, row.result, error)):
                raise JobUnknown(f"there is no job {job_id!r}") from None
            busy = Busy(f"the result of job {job.id} is damaged on the disk; it is made anew", hint="try again later")
            busy.retry_after_s = 5.0
            raise busy from error

    # Counts

    def load(self, uid: int) -> Load:
        """Live jobs, of everybody and of one user."""
        return self._commits.tally.load(uid)

    def totals(self) -> Totals:
        """What the store holds."""
        tally = self._commits.tally
        with errors_in(self.folder):
            left = self._space.left()
        return Totals(tally.jobs(), tally.blob_bytes, tally.finished_bytes, tally.load(0).bytes, left)

    async def expire(self, keep: Keep) -> int:
        """Forgets finished jobs beyond any of the bounds, oldest first; returns how many."""
        expired = 0
        while True:
            now = await self._perform(Expire(keep, self._commits.tally))
            expired += now
            if now < AT_ONCE:
                return expired

    # The outbox

    async def due_deliveries(self, now: float, limit: int, target: str | None = None) -> tuple[Delivery, ...]:
        """Whom to tell of a job's end, those first that have waited longest. They stay due until told of.

        With `target` those to this one: what one has waiting must not hide what others have.
        """
        return await self._reader.ask(reading.due_deliveries, now, limit, target)

    async def delivery_moments(self) -> Mapping[str, float]:
        """By target, when the first of its deliveries that wait is due."""
        return await self._reader.ask(reading.delivery_moments)

    async def delivered(self, delivery_id: str) -> None:
        """Somebody was told."""
        await self._perform(Delivered(delivery_id))

    async def delivery_failed(self, delivery_id: str, fault: str, next_at: float | None) -> None:
        """Somebody could not be told; None gives it up."""
        await self._perform(DeliveryFailed(delivery_id, fault, next_at))

    async def taken_files(self, watch: str) -> Mapping[str, str]:
        """Paths of a watch folder that were taken, with their marks."""
        return await self._reader.ask(reading.taken_files, watch)

    async def drop_taken(self, watch: str, paths: Sequence[str]) -> None:
        """Forgets files that are not there any more."""
        await self._perform(DropTaken(watch, paths))

    # Backups

    async def backup(self, fd: int) -> BackupReport:
        """Writes all that is there now to a file or a pipe, while everything goes on; `ndfd.store.restore` reads it.

        `Busy` while another one is made, `BackupError` when it cannot be written, `StoreDamaged` when the database is,
        `StorageFull` when there is no room for the copy of it. Cancelled, it stops.
        """
        return await self._backups.make(fd)

    @contextlib.contextmanager
    def pinned(self) -> Iterator[Spool]:
        """No file of the spool is removed within the block."""
        self._commits.pin()
        try:
            yield self._spool
        finally:
            self._commits.unpin()

    def reader(self) -> sqlite3.Connection:
        """A connection of the caller's own that only reads, for any one thread; it closes it."""
        with errors_in(self.folder):
            return connect_reader(self._database)

    # The threads

    async def _put(self, make: Callable[[], Operation[T]]) -> T:
        with errors_in(self.folder):
            operation = make()
        put = operation.put
        assert put is not None
        if put.size <= SMALL_BYTES:
            return await self._perform(operation)
        # To its end, also when nobody waits any more: a thread has its descriptors.
        return await asyncio.shield(self._put_large(operation, put))

    async def _put_large(self, operation: Operation[T], put: Put) -> T:
        try:
            await self._files.do(put.stage_and_sync, self._spool)
        except BaseException:
            put.close()
            raise
        return await self._perform(operation)

    async def _perform(self, operation: Operation[T]) -> T:
        loop = self._loop
        assert loop is not None, "Store.start comes first"
        future: asyncio.Future[T] = loop.create_future()
        self._commits.hand_in(operation, future)
        return await future

    def stuck(self) -> str | None:
        """Why nothing is written although it should be; None while all is well."""
        return self._commits.stuck()

    def _reset_readers(self) -> None:
        self._reader.reset()
        self._lister.reset()

    def _done(self, outcomes: Sequence[Outcome]) -> None:
        """In the store's thread."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # The loop was closed: nobody waits any more.
            self._loop.call_soon_threadsafe(self._tell, outcomes)

    def _tell(self, outcomes: Sequence[Outcome]) -> None:
        for ticket, value, error, _work in outcomes:
            if not ticket.done():
                if error is None:
                    ticket.set_result(value)
                else:
                    ticket.set_exception(error)
        for outcome in outcomes:
            if outcome.work is not None:
                self._listeners.tell(outcome.work)
