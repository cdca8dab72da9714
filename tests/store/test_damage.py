"""Damaged rows and files, full and failing disks: whoever is concerned is told, and nobody else."""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from ndfd.errors import Busy, DocumentChanged, InputError, NdfdError, StorageFull, StoreDamaged, StoreError, UsageError
from ndfd.model.job_states import JobState
from ndfd.model.jobs import JobQuery
from ndfd.platform import storage
from ndfd.store import Store
from ndfd.store.leases import LoseDocument
from ndfd.store.submission import Submit
from ndfd.store.work import Operation, Work
from tests.store.opened import ALICE, files, lease, memory, new_job, opened, result, run, submit, succeed


def change_row(folder: Path, column: str, value: object, job_id: str) -> None:
    """Writes what the store never would, past its checks."""
    connection = sqlite3.connect(folder / "jobs.db")
    connection.execute("PRAGMA ignore_check_constraints = ON")
    with connection:
        connection.execute(f"UPDATE jobs SET {column} = ? WHERE id = ?", (value, job_id))
    connection.close()


def open_descriptors() -> int:
    """Of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def spoil(path: Path) -> None:
    """Flips a byte."""
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("labels", "{cut"),
        ("labels", '{"a": 1}'),
        ("fault", '{"code": 5}'),
        ("report", "[]"),
        ("format", "parchment"),
        ("state", "lost"),
        ("accepted_at", float("inf")),
        ("fault", "\x00\xff"),
    ],
)
def test_a_row_that_cannot_be_read_is_shown_as_such_and_is_in_nobodys_way(
    tmp_path: Path, column: str, value: object
) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            damaged = (await submit(store, b"damaged")).job
            sound = (await submit(store, b"sound")).job
        change_row(tmp_path, column, value, damaged.id)
        async with opened(tmp_path) as store:
            if column != "accepted_at":
                shown = await store.get(damaged.id, ALICE)
                assert shown.state is JobState.QUARANTINED
                assert shown.fault is not None
                assert shown.fault.code == StoreDamaged.code
                assert damaged.id in shown.fault.message
            listed = {job.id for job in (await store.list(JobQuery(), ALICE)).jobs}
            assert listed == {damaged.id, sound.id}
            assert sum(store.totals().jobs.values()) == 2
            leased = await lease(store, *(ready.id for ready in await store.ready(store.now(), 10)))
            assert sound.id in {job.job.id for job in leased}
            assert await store.ready(store.now(), 10) == ()
            if column != "accepted_at":
                await store.forget(damaged.id, ALICE)

    run(body())


def test_a_document_that_is_damaged_on_the_disk_fails_its_job_and_can_be_sent_anew(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            for spoiled in (spoil, Path.unlink):
                job = (await submit(store)).job
                spoiled(files(store)[0])
                other = (await submit(store, b"other", engine=spoiled.__name__)).job
                leased = await lease(store, job.id, other.id)
                assert [found.job.id for found in leased] == [other.id]
                now = await store.get(job.id, ALICE)
                assert now.state is JobState.FAILED
                assert now.fault is not None
                assert now.fault.code == StoreDamaged.code
                again = await submit(store)
                assert not again.reused
                assert await lease(store, again.job.id)
                await store.cancel(again.job.id, None)
                await store.cancel(other.id, None)

    run(body())


def test_a_result_that_is_damaged_on_the_disk_is_made_anew(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            one, two = (await submit(store, b"one")).job, (await submit(store, b"two")).job
            await succeed(store, one, b"the same result")
            await succeed(store, two, b"the same result")
            (path,) = (path for path in files(store) if path.read_bytes() == b"the same result")
            spoil(path)
            with pytest.raises(Busy, match="made anew") as caught:
                await store.result(one.id, ALICE)
            assert caught.value.retry_after_s
            assert (await store.get(one.id, ALICE)).state is JobState.QUEUED
            await succeed(store, one, b"the same result")
            # The other one's is whole again as well.
            assert await result(store, one) == await result(store, two) == b"the same result"

    run(body())


def test_a_document_that_is_written_to_meanwhile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = tmp_path / "growing.pdf"
    document.write_bytes(b"x" * 1_000_000)
    copy = storage.copy

    def copy_slowly(source: int, target: int, size: int) -> int:
        done = copy(source, target, size)
        with document.open("ab") as file:
            file.write(b"more")
        return done

    monkeypatch.setattr(storage, "copy", copy_slowly)

    async def body() -> None:
        async with opened(tmp_path / "state") as store:
            with document.open("rb") as file, pytest.raises(DocumentChanged):
                await store.submit(new_job(), file.fileno())
            assert files(store) == []
            assert store.load(ALICE).jobs == 0

    run(body())


def test_a_descriptor_that_cannot_be_read_fails_alone(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path / "state") as store:
            write_only = os.open(tmp_path / "unreadable", os.O_WRONLY | os.O_CREAT)
            os.write(write_only, b"bytes")
            pipe, other_end = os.pipe()
            answers = await asyncio.gather(
                submit(store, b"sound"),
                store.submit(new_job(), write_only),
                store.submit(new_job(), pipe),
                submit(store, b"sound as well"),
                return_exceptions=True,
            )
            for fd in (write_only, pipe, other_end):
                os.close(fd)
            assert isinstance(answers[1], InputError)
            assert isinstance(answers[2], UsageError)
            assert store.load(ALICE).jobs == 2

    run(body())


def test_new_work_is_refused_before_accepted_work_lacks_space(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store)).job
        async with opened(tmp_path, keep_free_bytes=1 << 60) as store:
            with pytest.raises(StorageFull) as caught:
                await submit(store, b"more")
            assert caught.value.retry_after_s
            assert await succeed(store, job)
            assert store.load(ALICE).jobs == 0

    run(body())


def test_a_full_database_refuses_what_does_not_fit_and_lives_on(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            before = (await submit(store, b"before")).job
            connection = store._commits._connected()
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            # A limit of SQLite's own gives the same error as a full disk (SQLITE_FULL), at the same places.
            connection.execute(f"PRAGMA max_page_count = {pages}")
            calls = (submit(store, b"%d" % n, name="n" * 5000) for n in range(30))
            answers = await asyncio.gather(*calls, return_exceptions=True)
            refused = [answer for answer in answers if isinstance(answer, BaseException)]
            assert refused
            assert all(isinstance(answer, StorageFull) for answer in refused)
            assert store.load(ALICE).jobs == 1 + len(answers) - len(refused)
            assert len(files(store)) == 1 + len(answers) - len(refused)
            connection.execute("PRAGMA max_page_count = 1000000")
            assert not (await submit(store, b"29", name="n" * 5000)).reused
            assert await succeed(store, before)

    run(body())


@pytest.mark.parametrize(
    ("code", "error"), [(errno.ENOSPC, StorageFull), (errno.EIO, StoreError), (errno.EROFS, StoreError)]
)
@pytest.mark.parametrize("size", [10, 300_000])
@pytest.mark.parametrize("failing", ["sync", "link", "open_unnamed", "copy", "open_folder"])
def test_a_disk_that_fails_at_a_file_fails_its_job_and_nothing_is_left_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, size: int, code: int, error: type[NdfdError]
) -> None:
    if failing == "copy" and size == 10:
        pytest.skip("small files are not copied by it")

    async def body() -> None:
        async with opened(tmp_path) as store:

            def fail(*arguments: object) -> int:
                raise OSError(code, os.strerror(code))

            with monkeypatch.context() as patched:
                patched.setattr(storage, failing, fail)
                with pytest.raises(error) as caught:
                    await submit(store, b"x" * size)
            assert type(caught.value) is error
            assert files(store) == []
            assert store.load(ALICE).jobs == 0
            assert open_descriptors() == before
            assert not (await submit(store, b"x" * size)).reused

    async def warm() -> None:
        nonlocal before
        async with opened(tmp_path) as store:
            job = (await submit(store, b"y" * size)).job
            await store.cancel(job.id, None)
            await store.forget(job.id, None)
            # What was forgotten keeps its blocks for a moment.
            store._spool.close()
            before = open_descriptors()

    before = 0
    run(warm())
    run(body())


class FailingSync:
    """A connection whose commits say that the disk could not be synced."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.in_transaction = True

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if statement == "COMMIT":
            self._connection.execute("COMMIT")
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return self._connection.execute(statement, values)

    def close(self) -> None:
        self._connection.close()


def test_a_log_that_cannot_be_synced_is_read_anew(tmp_path: Path) -> None:
    """Whether the transaction is on the disk is not known then: the counts are what the database says."""

    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store, b"before")).job
            store._commits._connection = FailingSync(store._commits._connected())  # type: ignore[assignment]
            with pytest.raises(StoreError, match="disk I/O error"):
                await submit(store, b"unknown")
            # It came back: its file must be there, and the same work finds it.
            again = await submit(store, b"unknown")
            assert again.reused
            assert store.load(ALICE).jobs == 2
            assert len(files(store)) == 2
            assert {leased.job.id for leased in await lease(store, job.id, again.job.id)} == {job.id, again.job.id}

    run(body())


def test_after_a_failed_sync_nothing_is_built_on_what_the_log_holds(tmp_path: Path) -> None:
    """A second sync does not tell whether the pages of the first are on the disk: they are written again, elsewhere."""
    log = tmp_path / "jobs.db-wal"

    async def body() -> None:
        async with opened(tmp_path) as store:
            await submit(store, b"before")
            store._commits._connection = FailingSync(store._commits._connected())  # type: ignore[assignment]
            # With it the log outlives the connection that is closed.
            other = sqlite3.connect(tmp_path / "jobs.db")
            other.execute("SELECT count(*) FROM jobs").fetchone()
            with pytest.raises(StoreError, match="disk I/O error"):
                await submit(store, b"unknown")
            store._commits._connected()
            assert log.stat().st_size == 0
            other.close()
            assert (await submit(store, b"unknown")).reused

    run(body())


def test_without_files_that_have_no_name_named_ones_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "open_unnamed", lambda folder: None)

    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store, b"x" * 300_000)).job
            assert (await submit(store, b"x" * 300_000)).reused
            await succeed(store, job)
            assert await result(store, job) == b"result"
            assert len(files(store)) == 2
            assert list((tmp_path / "spool" / "incoming").iterdir()) == []

    run(body())


def test_a_folder_that_may_not_be_written_to_is_named(tmp_path: Path) -> None:
    run_as_nobody = os.geteuid() == 0
    if run_as_nobody:
        pytest.skip("root may write to every folder")
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=str(tmp_path)):
        Store.open(tmp_path / "state")
    tmp_path.chmod(0o700)


def test_many_waiting_jobs_are_cancelled_one_by_one(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            with memory(b"same") as fd:
                calls = [store.submit(new_job(name=str(n)), fd) for n in range(1000)]
                jobs = [submission.job for submission in await asyncio.gather(*calls)]
            assert len({job.id for job in jobs}) == 1000
            await asyncio.gather(*(store.cancel(job.id, ALICE) for job in jobs))
            assert store.load(ALICE) == store.load(5)
            assert await store.ready(store.now(), 10) == ()
            assert len(files(store)) == 1

    run(body())


def test_a_lease_that_cannot_be_given_gives_none_and_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            sound, damaged = [(await submit(store, data)).job for data in (b"sound", b"damaged")]
            (path,) = (path for path in files(store) if path.read_bytes() == b"damaged")
            spoil(path)
            await lease(store)
            before = open_descriptors()

            def full(*_: object) -> None:
                raise sqlite3.OperationalError("disk I/O error")

            monkeypatch.setattr(LoseDocument, "apply", full)
            with pytest.raises(StoreError, match="disk I/O error"):
                await store.lease([sound.id, damaged.id])
            # The other one's document may still be on its way.
            while open_descriptors() != before:
                await store.get(sound.id, None)

    run(body())


class Unsure(sqlite3.Connection):
    """Of a commit the disk says that it failed, and its log has it all the same."""

    #: Commits until then.
    unsure_after = -1

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        cursor = super().execute(statement, *values)
        if statement == "COMMIT" and Unsure.unsure_after >= 0:
            Unsure.unsure_after -= 1
            if Unsure.unsure_after < 0:
                raise sqlite3.OperationalError("disk I/O error")
        return cursor


def test_a_lease_that_was_committed_though_the_disk_denied_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Unsure))

    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store)).job
            began, held = threading.Event(), threading.Event()

            class Hold(Operation[None]):
                def apply(self, work: Work) -> None:
                    began.set()
                    held.wait()

            # Two in one transaction: when that fails as a whole, each is done again for itself.
            async with asyncio.TaskGroup() as group:
                group.create_task(store._perform(Hold()))
                await asyncio.to_thread(began.wait)
                leasing = group.create_task(lease(store, job.id))
                group.create_task(store.drop_taken("none", []))
                await asyncio.sleep(0)
                Unsure.unsure_after = 1
                held.set()
            (leased,) = leasing.result()
            assert Unsure.unsure_after < 0
            assert leased.job.attempts == 1
            assert leased.job == await store.get(job.id, None)
            # Only the one that asked for it.
            assert await lease(store, job.id) == ()

    run(body())


def test_the_stores_thread_lives_on_when_the_database_cannot_be_opened_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            await submit(store)

            def no_descriptors() -> sqlite3.Connection:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

            def failing(*_: object) -> None:
                raise sqlite3.OperationalError("disk I/O error")

            with monkeypatch.context() as patched:
                patched.setattr(Submit, "apply", failing)
                patched.setattr(store._commits, "_connect", no_descriptors)
                for data in (b"two", b"three"):
                    with pytest.raises(StoreError):
                        await submit(store, data)
            assert not (await submit(store, b"two")).reused
            assert len(files(store)) == 2

    run(body())
