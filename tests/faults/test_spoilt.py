"""Bytes that are not what was written, rows that somebody else has changed: told of, put aside, no other job's loss."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ndfd.errors import Busy, JobError, NdfdError, StoreDamaged, StoreError
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobOptions, JobQuery
from ndfd.store import Store
from ndfd.store.restore import restore
from tests.store.work import document_of, finished, result_of, spooled, started, submitted

PAGE = 4096


def flip(path: Path, start: int, end: int) -> None:
    """Other bytes than there were."""
    with path.open("r+b") as file:
        file.seek(start)
        data = file.read(end - start)
        file.seek(start)
        file.write(bytes(byte ^ 0x5A for byte in data))


async def listed(store: Store) -> dict[str, Job]:
    return {job.id: job for job in (await store.list(JobQuery(limit=1000), None)).jobs}


# The database


async def filled(folder: Path, jobs: int = 300) -> list[Job]:
    async with started(folder) as store:
        return list(await asyncio.gather(*(submitted(store, b"document %d" % number) for number in range(jobs))))


@pytest.mark.parametrize(
    "what", ["its first page", "pages in the middle", "its end cut off", "all of it", "no byte left"]
)
def test_a_damaged_database_is_refused_at_the_start_and_a_backup_put_back(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "state"
    path = folder / "jobs.db"

    async def scenario() -> None:
        jobs = await filled(folder)
        async with started(folder) as store:
            with (tmp_path / "backup").open("xb") as file:
                await store.backup(file.fileno())
        size = path.stat().st_size
        assert size > 20 * PAGE
        match what:
            case "its first page":
                flip(path, 0, PAGE)
            case "pages in the middle":
                flip(path, 10 * PAGE, 20 * PAGE)
            case "its end cut off":
                os.truncate(path, size // 2 // PAGE * PAGE + 100)
            case "all of it":
                path.write_bytes(random.Random(1).randbytes(size))
            case _:
                os.truncate(path, 0)
        with pytest.raises(StoreDamaged) as caught:
            async with started(folder):
                pass
        assert str(folder) in str(caught.value)
        assert "ndfd restore" in caught.value.hint
        # Nothing was made of the files meanwhile.
        assert len(spooled(folder)) == len(jobs)
        restore(tmp_path / "backup", folder, replace=True)
        async with started(folder) as store:
            assert set(await listed(store)) == {job.id for job in jobs}
            assert await document_of(store, jobs[7]) == b"document 7"

    asyncio.run(scenario())


def test_a_database_that_is_spoilt_while_the_daemon_works_is_told_of_and_the_thread_lives_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "state"
        jobs = await filled(folder, 2000)
        async with started(folder) as store:
            path = folder / "jobs.db"
            good = path.read_bytes()
            flip(path, 3 * PAGE, len(good))
            refused: list[str] = []
            for number in range(30):
                for call in (
                    submitted(store, b"new %d" % number),
                    store.cancel(jobs[number * 60].id, None),
                    store.get(jobs[number * 60].id, None),
                    store.list(JobQuery(limit=1000), None),
                ):
                    try:
                        await call
                    except StoreDamaged as error:
                        refused.append(str(error))
                    except JobError:
                        pass
            assert refused
            assert all(str(folder) in line for line in refused)

    asyncio.run(scenario())


@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 0.99])
def test_a_damaged_log_leaves_a_sound_database_and_the_jobs_before_the_damage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: float
) -> None:
    async def scenario() -> None:
        async with started(tmp_path / "state") as store:
            jobs = [await submitted(store, b"document %d" % number) for number in range(50)]
            # As a crash leaves it.
            shutil.copytree(tmp_path / "state", tmp_path / "crashed")
        log = tmp_path / "crashed" / "jobs.db-wal"
        start = int(log.stat().st_size * place)
        flip(log, start, start + 64)
        try:
            async with started(tmp_path / "crashed") as store:
                found = await listed(store)
        except StoreDamaged:
            assert place < 0.5
            return
        there = [job.id in found for job in jobs]
        # No gap: what is lost is the end, which no SQLite can tell from what was never written.
        assert there == sorted(there, reverse=True)
        # But for the very last transaction it is told, and no document is gone.
        kept = {path.read_bytes() for path in (tmp_path / "crashed" / "spool").rglob("*") if path.is_file()}
        if there.count(False) > 1:
            assert "has lost jobs" in caplog.text
            assert kept == {b"document %d" % number for number in range(50)}
        else:
            assert caplog.text == ""
            assert len(kept) == there.count(True)
        # What is put aside is nobody's any more, and the next life finds nothing amiss.
        caplog.clear()
        async with started(tmp_path / "crashed") as store:
            assert len(await listed(store)) == there.count(True)
        assert caplog.text == ""

    asyncio.run(scenario())


def test_an_older_database_beside_a_newer_spool_costs_no_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        state = tmp_path / "state"
        async with started(state) as store:
            await submitted(store, b"before")
        shutil.copy(state / "jobs.db", tmp_path / "older.db")
        count = 200
        async with started(state) as store:
            await asyncio.gather(*(submitted(store, b"%d" % number) for number in range(count)))
        shutil.copy(tmp_path / "older.db", state / "jobs.db")
        async with started(state) as store:
            assert len(await listed(store)) == 1
        assert "has lost jobs" in caplog.text
        assert len(list((state / "spool" / "lost").iterdir())) == count

    asyncio.run(scenario())


# Rows


SPOILT = {
    "labels": "labels = '{not json'",
    "a report of nothing": "report = '[]'",
    "a fault of nothing": "fault = '7'",
    "a state that there is none of": "state = 'melted'",
    "a format that there is none of": "format = 'papyrus'",
    "a document of no hash": "document = zeroblob(32)",
    "a document of a short hash": "document = x'00'",
    "a size below zero": "size_bytes = -5",
    "a rank without number": "rank = 9e999",
    "a password that was erased": "password_erased = 1",
    "attempts beyond counting": "attempts = 9223372036854775807",
    "a version at its end": "version = 9223372036854775807",
}


def tamper(folder: Path, change: str, job: Job) -> None:
    """Behind the store's back, with every check off that can be."""
    with closing(sqlite3.connect(folder / "jobs.db", isolation_level=None)) as other:
        other.execute("PRAGMA ignore_check_constraints = ON")
        # What is of another type than its column SQLite refuses by itself: the tables are STRICT.
        other.execute(f"UPDATE jobs SET {change} WHERE id = ?", (job.id,))


@pytest.mark.parametrize("running", [True, False], ids=["while it works", "between two lives"])
@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_row_costs_its_own_job_and_no_other(tmp_path: Path, what: str, running: bool) -> None:
    folder = tmp_path / "state"

    async def use(store: Store, spoilt: Job, other: Job, result: bytes) -> None:
        found = await listed(store)
        assert other.id in found
        assert spoilt.id in found
        # Each either does it or says why not; nothing hangs, nothing else is hurt.
        ready = [each.id for each in await store.ready(store.now() + 100, 10)]
        for call in (
            store.lease([spoilt.id]),
            store.get(spoilt.id, None),
            store.history(spoilt.id, None),
            store.result(spoilt.id, None),
            store.cancel(spoilt.id, None),
            store.retry(spoilt.id, None),
            store.cancel(spoilt.id, None),
            store.forget(spoilt.id, None),
        ):
            try:
                answer = await asyncio.wait_for(call, 30)
            except NdfdError:
                continue
            for leased in answer if isinstance(answer, tuple) else ():
                if hasattr(leased, "document_fd"):
                    os.close(leased.document_fd)
        assert other.id in ready
        await finished(store, other, result)
        assert await result_of(store, other) == result
        await submitted(store, b"yet another " + result)

    async def scenario() -> None:
        async with started(folder) as store:
            spoilt = await submitted(store, b"spoilt", options=JobOptions(labels={"a": "b"}))
            other = await submitted(store, b"sound")
            if running:
                tamper(folder, SPOILT[what], spoilt)
                await use(store, spoilt, other, b"result")
        if not running:
            tamper(folder, SPOILT[what], spoilt)
            async with started(folder) as store:
                await use(store, spoilt, other, b"result")
        async with started(folder) as store:
            assert (await store.get(other.id, None)).state is JobState.SUCCEEDED

    asyncio.run(scenario())


def test_a_running_job_whose_row_is_spoilt_keeps_no_daemon_from_starting(tmp_path: Path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "state"
        async with started(folder) as store:
            spoilt = await submitted(store, b"spoilt")
            other = await submitted(store, b"sound")
            for leased in await store.lease([spoilt.id, other.id]):
                os.close(leased.document_fd)
        for change in ("labels = '{'", "format = 'papyrus'", "interruptions = -9223372036854775808"):
            tamper(folder, change, spoilt)
            async with started(folder) as store:
                assert (await store.get(other.id, None)).state is JobState.QUEUED
                for leased in await store.lease([other.id]):
                    os.close(leased.document_fd)

    asyncio.run(scenario())


def test_another_writer_that_holds_the_database_for_long_is_waited_for_or_told_of(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path / "state") as store:
            with closing(sqlite3.connect(tmp_path / "state" / "jobs.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                waiting = asyncio.ensure_future(submitted(store, b"waits"))
                await asyncio.wait([waiting], timeout=0.3)
                assert not waiting.done()
                other.execute("COMMIT")
            assert (await waiting).state is JobState.QUEUED

    asyncio.run(scenario())


# Files of the spool


def spoil(path: Path, how: str) -> None:
    if how == "other bytes":
        flip(path, 0, 4)
    elif how == "cut short":
        os.truncate(path, 3)
    elif how == "longer":
        with path.open("ab") as file:
            file.write(b"more")
    elif how == "gone":
        path.unlink()
    elif how == "a link":
        path.unlink()
        path.symlink_to("/etc/passwd")
    else:
        path.unlink()
        path.mkdir()


HOW = ["other bytes", "cut short", "longer", "gone", "a link"]


@pytest.mark.parametrize("how", HOW)
def test_a_spoilt_document_fails_its_job_by_name_and_can_be_sent_again(tmp_path: Path, how: str) -> None:
    async def scenario() -> None:
        async with started(tmp_path / "state") as store:
            job = await submitted(store, b"document")
            (path,) = spooled(tmp_path / "state")
            other = await submitted(store, b"other")
            spoil(path, how)
            leased = await store.lease([job.id, other.id])
            assert [each.job.id for each in leased] == [other.id]
            os.close(leased[0].document_fd)
            failed = await store.get(job.id, None)
            assert failed.fault is not None
            assert (failed.state, failed.fault.code) == (JobState.FAILED, "store-damaged")
            assert path.name in failed.fault.message
            again = await submitted(store, b"document")
            assert again.id != job.id
            assert await document_of(store, again) == b"document"

    asyncio.run(scenario())


@pytest.mark.parametrize("how", HOW)
def test_a_document_that_is_sent_again_mends_one_that_was_spoilt_unseen(tmp_path: Path, how: str) -> None:
    async def scenario() -> None:
        async with started(tmp_path / "state") as store:
            first = await submitted(store, b"document", uid=1)
            (path,) = spooled(tmp_path / "state")
            spoil(path, how)
            # Acknowledged: so its bytes are on the disk, whatever lay there by that name.
            second = await submitted(store, b"document", uid=2)
            assert await document_of(store, second) == b"document"
            assert await document_of(store, first) == b"document"

    asyncio.run(scenario())


def test_a_folder_in_a_files_place_is_named_and_holds_up_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path / "state") as store:
            job = await submitted(store, b"document")
            (path,) = spooled(tmp_path / "state")
            spoil(path, "a folder")
            assert await store.lease([job.id]) == ()
            assert (await store.get(job.id, None)).state is JobState.FAILED
            with pytest.raises(StoreError, match="Is a directory"):
                await submitted(store, b"document", uid=2)
            other = await finished(store, await submitted(store, b"other"), b"result")
            await store.forget(job.id, None)
            await store.forget(other.id, None)
            assert spooled(tmp_path / "state") == []

    asyncio.run(scenario())


@pytest.mark.parametrize("how", HOW)
def test_a_spoilt_result_is_made_anew(tmp_path: Path, how: str) -> None:
    async def scenario() -> None:
        async with started(tmp_path / "state") as store:
            job = await submitted(store, b"document")
            before = spooled(tmp_path / "state")
            await finished(store, job, b"result")
            (path,) = set(spooled(tmp_path / "state")) - set(before)
            spoil(path, how)
            with pytest.raises(Busy, match="made anew"):
                await store.result(job.id, None)
            assert (await store.get(job.id, None)).state is JobState.QUEUED
            await finished(store, await store.get(job.id, None), b"result")
            assert await result_of(store, job) == b"result"
            assert [change.event for change in await store.history(job.id, None)].count("result_lost") == 1

    asyncio.run(scenario())


def test_a_spool_that_is_gone_is_made_anew_and_its_jobs_say_what_they_miss(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path / "state") as store:
            job = await submitted(store, b"document")
        shutil.rmtree(tmp_path / "state" / "spool")
        async with started(tmp_path / "state") as store:
            assert await store.lease([job.id]) == ()
            assert (await store.get(job.id, None)).state is JobState.FAILED
            assert await document_of(store, await submitted(store, b"document")) == b"document"

    asyncio.run(scenario())


def test_a_state_folder_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        Store.open(tmp_path / "file")
    (tmp_path / "other").mkdir()
    with closing(sqlite3.connect(tmp_path / "other" / "jobs.db")) as other:
        other.execute("CREATE TABLE recipes (x)")
    with pytest.raises(StoreError, match="not one of ndfd"):
        Store.open(tmp_path / "other")
