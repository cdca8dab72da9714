"""Lives of the daemon that end by SIGKILL, one after the other: which jobs are blamed for it, and which are not."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ndfd.dispatch.loop import ALONE_AFTER
from ndfd.errors import WorkerCrashed
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job
from ndfd.store import under_way
from ndfd.store.recovery import INTERRUPTIONS_MAX
from tests.dispatch.fake_pools import Call, FakePools
from tests.dispatch.scene import Scene, policy, run, scene, settle

# Each life is a process of its own, forked while there is no thread; all of them end by SIGKILL.
_LIVES = """
import asyncio, os, sys
from pathlib import Path
from tests.dispatch import test_deaths

for _ in range(int(sys.argv[3])):
    pid = os.fork()
    if pid == 0:
        asyncio.run(asyncio.wait_for(getattr(test_deaths, sys.argv[1])(Path(sys.argv[2])), 20))
        os._exit(1)
    assert os.waitpid(pid, 0)[1] == 9
"""


def live(which: str, folder: Path, lives: int) -> None:
    """So many lives of this kind."""
    command = [sys.executable, "-c", _LIVES, which, str(folder), str(lives)]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2], timeout=120)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def dies_while_no_worker_is_free(folder: Path) -> None:
    pools = FakePools()
    pools.workers_free = False
    async with scene(folder, workers=2, pools=pools) as it:
        await it.pools.asked(2)
        die()


async def dies_at_work(folder: Path) -> None:
    async with scene(folder, behaviour=None) as it:
        await it.pools.asked(1)
        die()


async def dies_while_it_stops(folder: Path) -> None:
    async with scene(folder, behaviour=None) as it:
        await it.pools.asked(1)
        stopping = asyncio.create_task(it.service.stop(30.0))
        await settle()
        assert not stopping.done()
        die()


async def dies_of_the_deadly_one(folder: Path) -> None:
    """As soon as it is at work; others are done when they have been, beside it or by themselves."""
    async with scene(folder, workers=4, behaviour=None) as it:
        while True:
            await it.pools.asked(1)
            # All that is leased comes to its worker in the same turns of the loop.
            await settle()
            if any(call.document == "deadly" for call in it.pools.running):
                die()
            for call in it.pools.running:
                call.done()
            await settle()
            if it.store.load(0).jobs == 0:
                die()


async def submitted(folder: Path, *texts: str) -> list[Job]:
    async with scene(folder, start=False) as it:
        return [await it.job(text) for text in texts]


async def now(it: Scene, jobs: list[Job]) -> list[Job]:
    return [await it.service.get(job.id, None) for job in jobs]


def test_jobs_that_wait_behind_others_for_a_worker_while_the_daemon_is_killed_thirty_times_are_done_in_the_end(
    tmp_path: Path,
) -> None:
    jobs = asyncio.run(submitted(tmp_path, "one", "two", "three"))
    live("dies_while_no_worker_is_free", tmp_path, 30)

    async def body() -> None:
        async with scene(tmp_path) as it:
            assert it.store.recovered >= 2
            ended = await it.ended(*jobs)
            assert [(job.state, job.attempts, job.interruptions) for job in ended] == [(JobState.SUCCEEDED, 1, 0)] * 3

    run(body())


def test_a_document_at_which_the_daemon_ends_each_time_does_not_end_it_for_ever(tmp_path: Path) -> None:
    deadly, behind = asyncio.run(submitted(tmp_path, "deadly", "behind it"))
    live("dies_at_work", tmp_path, INTERRUPTIONS_MAX)

    async def body() -> None:
        async with scene(tmp_path) as it:
            (ended,) = await it.ended(behind)
            assert (ended.state, ended.attempts, ended.interruptions) == (JobState.SUCCEEDED, 1, 0)
            (ended,) = await now(it, [deadly])
            assert (ended.state, ended.interruptions) == (JobState.QUARANTINED, INTERRUPTIONS_MAX - 1)
            assert ended.fault is not None
            assert ended.fault.code == "document-kills-workers"
            assert [call.document for call in it.pools.calls] == ["behind it"]

    run(body())


def test_what_ran_beside_a_document_that_ends_the_daemon_is_not_put_aside_with_it(tmp_path: Path) -> None:
    jobs = asyncio.run(submitted(tmp_path, "innocent 1", "deadly", "innocent 2", "innocent 3"))
    live("dies_of_the_deadly_one", tmp_path, INTERRUPTIONS_MAX)

    async def body() -> None:
        async with scene(tmp_path) as it:
            found = await it.ended(*jobs)
            deadly = found.pop(1)
            assert deadly.state is JobState.QUARANTINED
            assert {job.state for job in found} == {JobState.SUCCEEDED}
            # They had been beside it as often as it takes to be suspected.
            assert [job.interruptions for job in found] == [ALONE_AFTER] * 3

    run(body())


def test_a_daemon_that_is_killed_while_it_stops_suspects_nothing(tmp_path: Path) -> None:
    jobs = asyncio.run(submitted(tmp_path, "hello"))
    live("dies_while_it_stops", tmp_path, 3)

    async def body() -> None:
        async with scene(tmp_path) as it:
            (ended,) = await it.ended(*jobs)
            assert (ended.state, ended.attempts, ended.interruptions) == (JobState.SUCCEEDED, 1, 0)

    run(body())


def test_a_run_that_a_death_has_interrupted_takes_no_attempt_away(tmp_path: Path) -> None:
    jobs = asyncio.run(submitted(tmp_path, "unlucky"))
    live("dies_at_work", tmp_path, 2)

    def unlucky(call: Call) -> None:
        if len(it.pools.calls) < 3:
            call.fail(WorkerCrashed("it crashed"))
        else:
            call.done()

    async def body() -> None:
        nonlocal it
        async with scene(tmp_path, rules=policy(max_attempts=3), behaviour=unlucky) as it:
            (ended,) = await it.ended(*jobs)
            assert (ended.state, ended.attempts, ended.interruptions) == (JobState.SUCCEEDED, 5, 2)

    it: Scene
    run(body())


def at_work(it: Scene) -> int:
    """What the daemon would leave as suspected now."""
    return len(under_way.left(it.store.folder).runs)


def test_a_job_is_suspected_while_a_worker_has_it_and_neither_before_nor_after(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            jobs = [await it.job(f"document {number}") for number in range(3)]
            call = await it.pools.called(1)
            assert at_work(it) == 1
            call.done()
            await it.pools.called(2)
            await it.ended(jobs[0])
            await settle()
            assert at_work(it) == 1
            await it.service.cancel(jobs[1].id, None)
            (await it.pools.called(3)).fail(WorkerCrashed("it crashed"))
            await it.until(jobs[2], lambda job: job.state is JobState.QUEUED)
            await settle()
            assert at_work(it) == 0

    run(body())


def test_a_job_whose_result_waits_for_the_disk_is_not_suspected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            job = await it.job("hello")
            call = await it.pools.called(1)
            refused = asyncio.Event()

            async def refuse(*_: object) -> bool:
                refused.set()
                raise OSError(errno.EIO, "it does not answer")

            with monkeypatch.context() as disk:
                disk.setattr(it.store, "succeed", refuse)
                assert at_work(it) == 1
                call.done()
                await refused.wait()
                await settle()
                assert at_work(it) == 0
            (ended,) = await it.ended(job)
            assert ended.state is JobState.SUCCEEDED

    run(body())
