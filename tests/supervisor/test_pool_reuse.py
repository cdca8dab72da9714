"""Which further documents a worker sees."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from ndfd.supervisor import PoolLimits, Reuse
from tests.supervisor.fake_pool import run
from tests.supervisor.processes import Running, running


def limits(workers: int, reuse: Reuse) -> PoolLimits:
    return PoolLimits(workers, workers, 1000, reuse=reuse)


async def at_rest(it: Running, workers: int) -> None:
    """Returns when so many workers are idle and none is on its way in or out."""
    while [worker.state.value for worker in it.pool.snapshot().workers] != ["idle"] * workers:
        await asyncio.sleep(0.001)


def test_each_document_has_a_worker_of_its_own_where_none_is_used_again() -> None:
    async def body() -> None:
        async with running(limits=limits(2, Reuse.NEVER)) as it:
            pids = [await it.convert("pid", uid=7) for _ in range(10)]
            assert len(set(pids)) == 10

    run(body())


def test_a_fresh_one_is_ready_for_the_next_document_before_the_last_has_gone() -> None:
    async def body() -> None:
        async with running(limits=limits(1, Reuse.NEVER)) as it:
            await at_rest(it, 2)
            ready = {str(worker.pid) for worker in it.pool.snapshot().workers}
            assert {await it.convert("pid"), await it.convert("pid")} == ready
            await at_rest(it, 2)

    run(body())


def test_those_that_are_ready_are_not_at_work_beside_the_others() -> None:
    async def body() -> None:
        async with running(limits=limits(2, Reuse.NEVER)) as it:
            await at_rest(it, 4)
            calls = [await it.begin("wait for ever") for _ in range(2)]
            third = asyncio.create_task(it.convert("pid"))
            await asyncio.sleep(0.05)
            assert len(it.busy_pids()) == 2
            calls[0].cancel()
            assert await third
            calls[1].cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    run(body())


def test_where_any_will_do_one_worker_serves_all_users() -> None:
    async def body() -> None:
        async with running(limits=limits(1, Reuse.ANY)) as it:
            assert len({await it.convert("pid", uid=uid) for uid in range(5)}) == 1

    run(body())


@pytest.mark.parametrize("reuse", [Reuse.UID, Reuse.NEVER])
def test_a_worker_that_has_seen_several_users_ends_when_that_is_no_more_allowed(reuse: Reuse) -> None:
    async def body() -> None:
        async with running(limits=limits(1, Reuse.ANY)) as it:
            before = {await it.convert("pid", uid=uid) for uid in (7, 8)}
            busy = asyncio.create_task(it.convert("burn 0.1 now", uid=8))
            while not it.busy_pids():
                await asyncio.sleep(0)
            it.pool.reconfigure(dataclasses.replace(limits(1, Reuse.ANY), reuse=reuse))
            assert {await busy} == before
            assert await it.convert("pid", uid=8) not in before

    run(body())
