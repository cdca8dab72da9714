"""The end of a daemon's life, and the beginning of the next."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ndfd.model.job_states import JobState
from tests.dispatch.fake_pools import Call
from tests.dispatch.scene import run, scene, settle


def test_what_runs_gets_the_grace_and_what_waits_stays_in_the_queue(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            jobs = [await it.job(f"document {number}") for number in range(4)]
            call = await it.pools.called(1)
            stopping = asyncio.create_task(it.service.stop(30.0))
            while it.store.totals().queued < 3:
                await asyncio.sleep(0)
            # The one that was leased ahead is back in the queue before the running one has ended.
            assert not stopping.done()
            call.done()
            await stopping
            found = [await it.service.get(job.id, None) for job in jobs]
            assert [job.state for job in found] == [JobState.SUCCEEDED] + [JobState.QUEUED] * 3
            assert [job.attempts for job in found] == [1, 0, 0, 0]
            assert len(it.pools.calls) == 1

    run(body())


def test_what_does_not_end_within_the_grace_runs_in_the_next_life_and_costs_no_attempt(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            job = await it.job("hello")
            call = await it.pools.called(1)
            await it.service.stop(0.01)
            assert call.cancelled
            job = await it.service.get(job.id, None)
            assert (job.state, job.attempts) == (JobState.QUEUED, 0)
        async with scene(tmp_path) as it:
            assert it.store.recovered == 0
            (job,) = await it.ended(job)
            assert (job.state, job.attempts, job.interruptions) == (JobState.SUCCEEDED, 1, 0)

    run(body())


def test_stopping_twice_is_stopping_once(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path) as it:
            await it.service.stop(0)
            await it.service.stop(0)

    run(body())


def test_a_stop_that_is_cut_short_while_a_lease_is_under_way_is_followed_by_one_that_puts_the_job_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None, start=False) as it:
            job = await it.job("hello")
            lease, asked, given = it.store.lease, asyncio.Event(), asyncio.Event()

            async def slow(ids: list[str]) -> object:
                asked.set()
                await given.wait()
                return await lease(ids)

            monkeypatch.setattr(it.store, "lease", slow)
            it.service.start()
            await asked.wait()
            stopping = asyncio.create_task(it.service.stop(30.0))
            await settle()
            stopping.cancel()
            await asyncio.wait([stopping])
            given.set()
            await it.service.stop(0)
            job = await it.store.get(job.id, None)
            assert (job.state, job.attempts, job.interruptions) == (JobState.QUEUED, 0, 0)

    run(body())


_KILLED = """
import asyncio, sys
from pathlib import Path
from tests.dispatch.scene import scene

async def body():
    async with scene(Path(sys.argv[1]), workers=2, behaviour=None) as it:
        for number in range(6):
            print((await it.job(f"document {number}")).id, flush=True)
        call = (await it.pools.asked(2))[0]
        call.done()
        await it.ended(it.told[0].id)
        await it.pools.called(3)
        print("at work", flush=True)
        await asyncio.Event().wait()

asyncio.run(body())
"""


def test_after_a_sigkill_everything_that_was_acknowledged_ends_exactly_once(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    with process:
        assert process.stdout is not None
        said = [process.stdout.readline().strip() for _ in range(7)]
        os.kill(process.pid, signal.SIGKILL)
    assert said[-1] == "at work"

    async def body() -> None:
        async with scene(tmp_path, workers=2, behaviour=Call.done) as it:
            assert it.store.recovered >= 2
            jobs = await it.ended(*said[:-1])
            assert {job.state for job in jobs} == {JobState.SUCCEEDED}
            # What had a result before has not run again.
            assert len(it.pools.calls) == 5
            for job in jobs:
                changes = [change.event for change in await it.service.history(job.id, None)]
                assert changes.count("succeeded") == 1
            assert it.service.counts().recovered == it.store.recovered

    run(body())
