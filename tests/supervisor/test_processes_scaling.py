"""A pool over real processes that scales, is renewed, and whose circuit opens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

import psutil
import pytest

from ndfd.errors import DocumentKillsWorkers, SwarmCircuitOpen
from ndfd.model.status import WorkerState
from ndfd.supervisor import PoolLimits
from tests.supervisor.fake_pool import run
from tests.supervisor.processes import Running, processes, running


def pids(it: Running) -> set[int]:
    return {worker.pid for worker in it.pool.snapshot().workers if worker.pid}


def ready(it: Running) -> int:
    states = [worker.state for worker in it.pool.snapshot().workers]
    return sum(state in (WorkerState.IDLE, WorkerState.BUSY, WorkerState.DRAINING) for state in states)


def test_from_zero_to_as_many_as_are_needed_and_back_with_only_the_zygote_left() -> None:
    async def body() -> None:
        before = len(processes())
        async with running(limits=PoolLimits(0, 3, 100, idle_timeout_s=0.2)) as it:
            assert len(processes()) == before + 1
            assert await it.convert("echo first") == "first"
            calls = [await it.begin(f"wait {number}") for number in range(3)]
            for pid in it.busy_pids():
                os.kill(pid, signal.SIGUSR1)
            assert await asyncio.gather(*calls) == ["0", "1", "2"]
            while it.pool.snapshot().workers:
                await asyncio.sleep(0.01)
            assert [process.pid for process in psutil.Process().children(recursive=True)] == [it.zygote.pid]
            assert await it.convert("echo again") == "again"

    run(body())


def test_a_rolling_restart_under_load_loses_nothing_and_misses_one_at_most() -> None:
    async def body() -> None:
        async with running(workers=4) as it:
            renewed = False
            fewest = 4

            async def client(uid: int) -> int:
                done = 0
                while not renewed or done < 20:
                    text = f"n{uid}-{done}"
                    assert await it.convert(f"echo {text}", uid=0) == text
                    done += 1
                return done

            async def watch() -> None:
                nonlocal fewest
                while not renewed:
                    fewest = min(fewest, ready(it))
                    await asyncio.sleep(0)

            before = pids(it)
            load = [asyncio.create_task(client(number)) for number in range(6)]
            watching = asyncio.create_task(watch())
            await asyncio.sleep(0)
            await it.pool.renew()
            renewed = True
            await asyncio.gather(*load, watching)
            assert fewest == 3
            assert len(pids(it)) == 4
            assert pids(it).isdisjoint(before)

    run(body())


def test_a_long_document_is_finished_by_the_worker_that_is_renewed() -> None:
    async def body() -> None:
        async with running(workers=2) as it:
            long = await it.begin("wait long")
            (pid,) = it.busy_pids()
            renewing = asyncio.create_task(it.pool.renew())
            while WorkerState.DRAINING not in {worker.state for worker in it.pool.snapshot().workers}:
                await asyncio.sleep(0)
            assert await it.convert("echo meanwhile") == "meanwhile"
            os.kill(pid, signal.SIGUSR1)
            await renewing
            assert await long == "long"
            assert pid not in pids(it)

    run(body())


def test_workers_that_keep_being_killed_open_the_circuit_and_it_closes_by_itself() -> None:
    async def body() -> None:
        async with running(workers=2) as it:
            while it.pool.snapshot().available:
                for pid in pids(it):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(0.001)
            call = asyncio.create_task(it.convert("echo too early", deadline_s=600))
            with pytest.raises(SwarmCircuitOpen, match="an idle worker was killed by SIGKILL"):
                async with asyncio.timeout(60):
                    await call
            while not it.pool.snapshot().available:
                await asyncio.sleep(0.01)
            # The end of a worker that was killed before may be heard of only now, and open it once more.
            while it.pool.snapshot().warnings:
                await asyncio.sleep(0.01)
            assert await it.convert("echo now") == "now"

    run(body())


@pytest.mark.parametrize("act", ["die 11", "leave 70", "answer-and-die", "speak-unasked", "garbage"])
def test_a_user_whose_documents_kill_their_workers_stops_nobody_else(act: str) -> None:
    async def body() -> None:
        async with running(workers=2) as it:

            async def hostile() -> None:
                for _ in range(15):
                    try:
                        await it.convert(act, uid=666)
                    except DocumentKillsWorkers:
                        continue
                    assert act in ("answer-and-die", "speak-unasked")

            async def other() -> None:
                for number in range(30):
                    assert await it.convert(f"echo {number}", uid=7) == str(number)
                    assert it.pool.snapshot().warnings == ()

            await asyncio.gather(hostile(), hostile(), other())

    run(body())
