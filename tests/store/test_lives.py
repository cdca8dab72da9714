"""What a new life of the daemon finds, and what it makes of it."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ndfd.errors import StoreDamaged, StoreError
from ndfd.model.job_states import JobEvent, JobState
from ndfd.platform import storage
from ndfd.store import Ending, Store
from ndfd.store.clock import Clock
from ndfd.store.migrations import migrations
from ndfd.store.recovery import INTERRUPTIONS_MAX
from tests.store.opened import ALICE, files, killed, lease, opened, run, submit, succeed


def test_what_ran_waits_again_and_what_it_has_tried_is_known(tmp_path: Path) -> None:
    async def body() -> None:
        async with killed(tmp_path) as store:
            waiting = (await submit(store, b"waiting")).job
            running = (await submit(store, b"running")).job
            ended = (await submit(store, b"ended")).job
            (before,) = await lease(store, running.id)
            store.under_way.add(before.job)
            await succeed(store, ended)
            assert store.recovered == 0
        async with opened(tmp_path) as store:
            assert store.recovered == 1
            assert await store.get(waiting.id, None) == waiting
            again = await store.get(running.id, None)
            assert (again.state, again.attempts, again.interruptions) == (JobState.QUEUED, 1, 1)
            assert (await store.history(running.id, None))[-1].event == JobEvent.INTERRUPTED
            # The life before cannot end the run any more.
            assert not await store.end(before.job, Ending(JobEvent.FAILED))
            (leased,) = await lease(store, running.id)
            assert leased.job.attempts == 2
            assert not await store.end(before.job, Ending(JobEvent.FAILED))
            assert store.load(ALICE).jobs == 2

    run(body())


def test_a_job_that_no_worker_had_when_the_daemon_ended_waits_again_as_if_it_had_not_run(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store)).job
        for _ in range(3 * INTERRUPTIONS_MAX):
            async with killed(tmp_path) as store:
                assert await lease(store, job.id)
        async with opened(tmp_path) as store:
            assert store.recovered == 1
            now = await store.get(job.id, None)
            assert (now.state, now.attempts, now.interruptions) == (JobState.QUEUED, 0, 0)
            assert (await store.history(job.id, None))[-1].event == JobEvent.INTERRUPTED

    run(body())


def test_a_job_whose_document_a_worker_has_each_time_that_the_daemon_ends_is_put_aside(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store)).job
        for _ in range(INTERRUPTIONS_MAX):
            async with killed(tmp_path) as store:
                (leased,) = await lease(store, job.id)
                store.under_way.add(leased.job)
        async with opened(tmp_path) as store:
            now = await store.get(job.id, None)
            assert now.state is JobState.QUARANTINED
            assert now.fault is not None
            assert f"{INTERRUPTIONS_MAX} times" in now.fault.message
            assert (await store.retry(job.id, None)).interruptions == 0

    run(body())


def test_files_that_no_row_names_are_removed(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            await submit(store)
            (kept,) = files(store)
        stray = kept.with_name("0" * len(kept.name))
        stray.write_bytes(b"never acknowledged")
        (tmp_path / "spool" / "incoming" / "tmp1").write_bytes(b"half")
        kept.with_name(f".{stray.name}").write_bytes(b"about to be put in its place")
        async with opened(tmp_path) as store:
            assert files(store) == [kept]

    run(body())


def test_the_folders_are_on_the_disk_before_anything_is_in_them_whoever_made_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    sync_folder = storage.sync_folder

    def sync(folder: Path) -> None:
        synced.append(folder)
        sync_folder(folder)

    monkeypatch.setattr(storage, "sync_folder", sync)
    state = tmp_path / "a" / "b" / "state"
    Store.open(state)._close()
    assert set(synced) >= {tmp_path, tmp_path / "a", tmp_path / "a" / "b", state, state / "spool"}
    # The life that made them may have been killed before it had them synced.
    synced.clear()
    Store.open(state)._close()
    assert set(synced) >= {state.parent, state, state / "spool"}


def test_closing_that_is_cancelled_goes_on_and_may_be_asked_for_again(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            await submit(store)
            closing = asyncio.create_task(store.close())
            await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait([closing])
            await store.close()
        async with opened(tmp_path):
            pass

    run(body())


def test_two_daemons_do_not_share_a_folder(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path):
            with pytest.raises(StoreError, match="in use by another process"):
                Store.open(tmp_path)
        async with opened(tmp_path):
            pass

    run(body())


_SUBMIT_AND_DIE = """
import asyncio, os, signal, sys
from pathlib import Path
from ndfd.store import Step
from tests.store.opened import opened, submit, lease, succeed

async def body():
    async with opened(Path(sys.argv[1])) as store:
        one = await submit(store, b"one")
        print(one.job.id, flush=True)
        def reached(step):
            if step == sys.argv[2]:
                os.kill(os.getpid(), signal.SIGKILL)
        store.reached = reached
        await succeed(store, (await submit(store, b"two")).job)
        await store.cancel(one.job.id, None)
        await store.retry(one.job.id, None)
        await store.cancel(one.job.id, None)
        await store.forget(one.job.id, None)

asyncio.run(body())
"""


@pytest.mark.parametrize(
    ("step", "acknowledged"),
    [
        ("staged", 1),
        ("document_synced", 1),
        ("document_linked", 1),
        ("folder_synced", 1),
        ("submit_written", 1),
        ("submitted", 2),
        ("leased", 2),
        ("result_staged", 2),
        ("result_synced", 2),
        ("result_linked", 2),
        ("result_folder_synced", 2),
        ("publish_written", 2),
        ("published", 2),
        ("cancelled", 2),
        ("retried", 2),
        ("forgotten", 1),
        ("unlinked", 1),
    ],
)
def test_a_life_that_is_killed_at_a_step_leaves_what_is_committed_and_nothing_else(
    tmp_path: Path, step: str, acknowledged: int
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _SUBMIT_AND_DIE, str(tmp_path), step], capture_output=True, text=True, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr

    async def body() -> None:
        async with opened(tmp_path) as store:
            connection = store.reader()
            jobs = connection.execute("SELECT id, state FROM jobs").fetchall()
            named = {row[0].hex() for row in connection.execute("SELECT hash FROM blobs")}
            connection.close()
            assert len(jobs) == acknowledged
            assert "running" not in {state for _id, state in jobs}
            if step not in {"forgotten", "unlinked"}:
                assert ended.stdout.strip() in {job_id for job_id, _state in jobs}
            assert {path.parent.name + path.name for path in files(store)} == named

    run(body())


def test_a_store_of_a_newer_ndfd_is_refused_and_both_versions_are_named(tmp_path: Path) -> None:
    Store.open(tmp_path)._close()
    newest = len(migrations())
    with sqlite3.connect(tmp_path / "jobs.db") as connection:
        connection.execute(f"PRAGMA user_version = {newest + 5}")
    connection.close()
    with pytest.raises(StoreError, match=f"version {newest + 5} .* up to {newest}"):
        Store.open(tmp_path)


def test_a_database_of_something_else_is_not_touched(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "jobs.db")
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    with pytest.raises(StoreError, match="not one of ndfd"):
        Store.open(tmp_path)


def test_a_damaged_database_says_what_to_do(tmp_path: Path) -> None:
    async def fill() -> None:
        async with opened(tmp_path) as store:
            await asyncio.gather(*(submit(store, b"%d" % n) for n in range(200)))

    run(fill())
    path = tmp_path / "jobs.db"
    with path.open("r+b") as file:
        for page in range(3, path.stat().st_size // 4096, 2):
            file.seek(page * 4096)
            file.write(os.urandom(200))
    with pytest.raises(StoreDamaged, match="damaged") as caught:
        Store.open(tmp_path)
    assert "ndfd restore" in caught.value.hint


def test_what_is_no_database_at_all_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_bytes(b"not a database " * 1000)
    with pytest.raises(StoreDamaged):
        Store.open(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file/state"):
        Store.open(tmp_path / "file" / "state")


def test_the_stores_time_never_goes_back() -> None:
    wall, steady = [1000.0], [0.0]
    clock = Clock(5000.0, lambda: wall[0], lambda: steady[0])
    assert clock.now() == 5000.0  # The wall clock is behind what was written.
    steady[0] += 10
    wall[0] -= 86400
    assert clock.now() == 5010.0
    wall[0] = 9000.0
    assert clock.now() == 9000.0
    wall[0] = 100.0
    steady[0] += 1
    assert clock.now() == 9001.0


def test_a_clock_set_back_by_a_day_changes_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            first = (await submit(store, b"first")).job
        behind = functools.partial(Clock, wall=lambda: time.time() - 86400)
        monkeypatch.setattr("ndfd.store.recovery.Clock", behind)
        async with opened(tmp_path) as store:
            second = (await submit(store, b"second")).job
            assert second.accepted_at >= first.accepted_at
            assert second.id[:9] >= first.id[:9]
            assert [ready.id for ready in await store.ready(store.now(), 5)] == [first.id, second.id]

    run(body())
