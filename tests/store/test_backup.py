"""A backup is made while everything goes on, any tar reads it, and what it holds is what was there."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
import subprocess
import tarfile
import threading
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest

from ndfd.errors import BackupError, Busy, ShuttingDown, StorageFull, StoreDamaged
from ndfd.model.job_states import JobState
from ndfd.model.jobs import BackupReport, JobOptions, JobQuery
from ndfd.store import NewJob, Store
from ndfd.store.restore import restore, verify
from tests.store.work import document_of, finished, result_of, spooled, started, submitted


async def backed_up(store: Store, path: Path) -> BackupReport:
    with path.open("xb") as file:
        return await store.backup(file.fileno())


async def filled(folder: Path, path: Path) -> BackupReport:
    """A backup of a store with a job in each of the states that matter."""
    async with started(folder) as store:
        await finished(store, await submitted(store, b"done"), b"result")
        await submitted(store, b"queued")
        running = await submitted(store, b"running")
        await store.lease([running.id])
        await store.cancel((await submitted(store, b"cancelled")).id, None)
        await submitted(store, b"x" * 3_000_000)
        return await backed_up(store, path)


def test_what_is_restored_is_what_there_was_and_what_ran_waits_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        before = await filled(tmp_path / "state", tmp_path / "backup")
        assert (before.jobs, before.documents, before.results, before.damaged) == (5, 5, 1, 0)
        assert verify(tmp_path / "backup") == before
        restored, former = restore(tmp_path / "backup", tmp_path / "other")
        assert (restored, former) == (before, None)
        async with started(tmp_path / "other") as store:
            assert store.recovered == 1
            jobs = {job.size_bytes: job for job in (await store.list(JobQuery(), None)).jobs}
            assert [jobs[size].state for size in (4, 6, 7, 9)] == ["succeeded", "queued", "queued", "cancelled"]
            assert await result_of(store, jobs[4]) == b"result"
            assert await document_of(store, jobs[7]) == b"running"
            assert await document_of(store, jobs[3_000_000]) == b"x" * 3_000_000

    asyncio.run(scenario())


def test_any_tar_reads_it_and_sha256sum_agrees(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path / "state", tmp_path / "backup"))
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "backup", "-C", tmp_path / "unpacked"], check=True)
    subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path / "unpacked", check=True)
    with tarfile.open(tmp_path / "backup") as archive:
        names = archive.getnames()
        assert {member.mode for member in archive} == {0o600}
    listed = [line.split()[1] for line in (tmp_path / "unpacked" / "SHA256SUMS").read_text().splitlines()]
    assert [*listed, "SHA256SUMS"] == names
    with closing(sqlite3.connect(f"file:{tmp_path}/unpacked/jobs.db?mode=ro&immutable=1", uri=True)) as database:
        assert database.execute("SELECT count(*) FROM jobs").fetchone() == (5,)


def test_it_goes_through_a_pipe_and_is_the_same_there(tmp_path: Path) -> None:
    async def scenario() -> BackupReport:
        async with started(tmp_path / "state") as store:
            await finished(store, await submitted(store, b"d" * 500_000), b"r" * 500_000)
            reading, writing = os.pipe()
            with (tmp_path / "backup").open("xb") as file, subprocess.Popen(["cat"], stdin=reading, stdout=file) as cat:
                os.close(reading)
                report = await store.backup(writing)
                os.close(writing)
            assert cat.returncode == 0
            return report

    assert asyncio.run(scenario()) == verify(tmp_path / "backup")


def test_jobs_that_are_forgotten_while_it_is_made_are_in_it_whole(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path / "state") as store:
            jobs = [await finished(store, await submitted(store, bytes([n]) * 300_000), bytes([n])) for n in range(8)]
            reading, writing = os.pipe()
            backup = asyncio.ensure_future(store.backup(writing))
            # The first bytes are those of the database: from here on, it is a moment of the past.
            first = await asyncio.to_thread(os.read, reading, 100)
            for job in jobs:
                await store.forget(job.id, None)
            with pytest.raises(Busy, match="another backup"):
                await store.backup(writing)
            late = await submitted(store, b"late")
            assert not backup.done()
            assert len(spooled(tmp_path / "state")) == 17

            def drain() -> None:
                with (tmp_path / "backup").open("xb") as file:
                    file.write(first)
                    while data := os.read(reading, 1 << 16):
                        file.write(data)

            thread = threading.Thread(target=drain)
            thread.start()
            report = await backup
            os.close(writing)
            thread.join()
            os.close(reading)
            assert (report.jobs, report.damaged) == (8, 0)
            # They are removed with what is done next.
            await store.cancel(late.id, None)
            await store.cancel(late.id, None)
            assert len(spooled(tmp_path / "state")) == 1
        assert verify(tmp_path / "backup") == report

    asyncio.run(scenario())


def test_files_that_the_disk_has_spoilt_are_named_and_the_rest_is_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        state = tmp_path / "state"
        async with started(state) as store:
            jobs = [await submitted(store, name.encode() * 1000) for name in ("whole", "short", "other", "gone")]
            files = {path.read_bytes()[:5]: path for path in spooled(state)}
            os.truncate(files[b"short"], 1234)
            files[b"other"].write_bytes(b"OTHER" * 1000)
            files[b"goneg"].unlink()
            report = await backed_up(store, tmp_path / "backup")
            assert (report.jobs, report.documents, report.damaged) == (4, 4, 3)
        assert verify(tmp_path / "backup") == report
        restore(tmp_path / "backup", tmp_path / "other")
        assert [path.read_bytes() for path in spooled(tmp_path / "other")] == [b"whole" * 1000]
        async with started(tmp_path / "other") as store:
            (leased,) = await store.lease([job.id for job in jobs])
            os.close(leased.document_fd)
            assert leased.job.id == jobs[0].id
            for job in jobs[1:]:
                found = await store.get(job.id, None)
                assert (found.state, found.fault and found.fault.code) == (JobState.FAILED, "store-damaged")

    asyncio.run(scenario())


def test_a_reader_that_goes_away_ends_it_with_a_word(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path / "state") as store:
            await submitted(store, b"x" * 1_000_000)
            reading, writing = os.pipe()
            os.close(reading)
            with pytest.raises(BackupError, match="cannot be written"):
                await store.backup(writing)
            os.close(writing)
            await backed_up(store, tmp_path / "backup")

    asyncio.run(scenario())


def test_a_caller_that_goes_away_and_a_daemon_that_stops_end_it_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path / "state") as store:
            await submitted(store, b"x" * 1_000_000)
            reading, writing = os.pipe()
            backup = asyncio.ensure_future(store.backup(writing))
            await asyncio.to_thread(os.read, reading, 1)
            backup.cancel()
            with pytest.raises(asyncio.CancelledError):
                await backup
            # The next one is not refused.
            backup = asyncio.ensure_future(store.backup(writing))
            await asyncio.to_thread(os.read, reading, 100_000)
        with pytest.raises(ShuttingDown):
            await backup
        os.close(reading)
        os.close(writing)

    asyncio.run(scenario())
    assert not list((tmp_path / "state").glob("backup-*"))


def test_nothing_is_left_of_a_copy_that_a_killed_daemon_had_begun(tmp_path: Path) -> None:
    left = tmp_path / "state" / "backup-0123"
    asyncio.run(filled(tmp_path / "state", tmp_path / "one"))
    left.write_bytes(b"half a database")

    async def scenario() -> None:
        async with started(tmp_path / "state") as store:
            await backed_up(store, tmp_path / "two")

    asyncio.run(scenario())
    assert not left.exists()


def test_no_backup_takes_the_room_that_is_kept_for_jobs(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path / "state", tmp_path / "one"))

    async def scenario() -> None:
        async with started(tmp_path / "state", keep_free_bytes=1 << 60) as store:
            with pytest.raises(StorageFull, match="copy of the database"):
                await backed_up(store, tmp_path / "two")

    asyncio.run(scenario())


def test_a_damaged_database_is_found_when_it_is_backed_up_not_when_it_is_needed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path / "state") as store:
            for number in range(200):
                await submitted(store, b"%d" % number)
        path = tmp_path / "state" / "jobs.db"
        async with started(tmp_path / "state") as store:
            page = bytearray(path.read_bytes())
            with closing(sqlite3.connect(path)) as found:
                root = found.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'jobs_by_user'").fetchone()[0]
            with path.open("r+b") as file:
                file.seek((root - 1) * 4096 + 8)
                file.write(bytes(byte ^ 0xFF for byte in page[(root - 1) * 4096 + 8 : root * 4096]))
            with pytest.raises(StoreDamaged, match="damaged"):
                await backed_up(store, tmp_path / "backup")

    asyncio.run(scenario())


def test_memory_does_not_grow_with_the_documents(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path / "state") as store:
            for number in range(4):
                fd = os.open(tmp_path / "document", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
                os.write(fd, hashlib.sha256(b"%d" % number).digest() * 1_000_000)
                await store.submit(NewJob(1, JobOptions(), "test"), fd)
                os.close(fd)
            tracemalloc.start()
            await backed_up(store, tmp_path / "backup")
            verify(tmp_path / "backup")
            _now, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            # Of 128 MB of documents.
            assert most < 16_000_000

    asyncio.run(scenario())
