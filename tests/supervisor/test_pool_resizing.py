"""A pool whose limits change while it works: nobody's conversion is lost by it."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from ndfd.errors import ShuttingDown, WorkerStartFailed
from ndfd.model.status import WorkerState
from ndfd.supervisor import Pool, PoolLimits
from ndfd.supervisor.spawner import WorkerEvents
from ndfd.testing import FakeClock, FakeSpawner, FakeWorker
from tests.supervisor.fake_pool import Scene, done, run, scene, settle


def states(it: Scene) -> list[WorkerState]:
    return [worker.state for worker in it.pool.snapshot().workers]


def limits(workers: int, jobs_per_worker: int = 100) -> PoolLimits:
    return PoolLimits(workers, workers, jobs_per_worker, rss_max_bytes=50_000_000)


def test_a_pool_that_grows_starts_the_workers_that_are_missing_and_gives_them_what_waits() -> None:
    async def body() -> None:
        async with scene() as it:
            calls = [await it.ask(name=name) for name in "abc"]
            it.pool.reconfigure(limits(3))
            await settle()
            assert states(it) == [WorkerState.BUSY] * 3
            for worker in it.spawner.alive:
                done(worker)
            await asyncio.gather(*calls)

    run(body())


def test_a_pool_that_shrinks_ends_those_that_have_been_idle_longest() -> None:
    async def body() -> None:
        async with scene(workers=3) as it:
            call = await it.ask()
            it.clock.advance(1)
            done(it.spawner.alive[0])
            await call
            it.pool.reconfigure(limits(1))
            await settle()
            assert [worker.number for worker in it.spawner.alive] == [1]
            assert states(it) == [WorkerState.IDLE]

    run(body())


def test_shrinking_twice_in_one_moment_ends_no_more_than_are_too_many() -> None:
    async def body() -> None:
        async with scene(workers=3) as it:
            for _ in range(2):
                it.pool.reconfigure(limits(2))
            await settle()
            assert [worker.number for worker in it.spawner.alive] == [2, 3]

    run(body())


def test_busy_workers_that_are_too_many_end_with_their_conversions_and_not_before() -> None:
    async def body() -> None:
        async with scene(workers=3) as it:
            calls = [await it.ask(name=name) for name in "abcd"]
            it.pool.reconfigure(limits(1))
            await settle()
            assert states(it) == [WorkerState.BUSY] * 3
            for alive in (2, 1):
                done(it.spawner.alive[-1])
                await settle()
                assert states(it) == [WorkerState.BUSY] * alive
                assert it.pool.snapshot().queued == 1
            for _ in range(2):
                done(it.worker)
                await settle()
            await asyncio.gather(*calls)
            assert states(it) == [WorkerState.IDLE]

    run(body())


def test_a_pool_that_shrinks_and_grows_again_keeps_those_that_are_still_at_work() -> None:
    async def body() -> None:
        async with scene(workers=2) as it:
            calls = [await it.ask(name=name) for name in "ab"]
            it.pool.reconfigure(limits(1))
            it.pool.reconfigure(limits(2))
            for worker in it.spawner.alive:
                done(worker)
            await asyncio.gather(*calls)
            assert [worker.number for worker in it.spawner.alive] == [1, 2]

    run(body())


def test_what_waits_behind_another_users_worker_is_served_after_a_shrink() -> None:
    async def body() -> None:
        async with scene(workers=2) as it:
            first = await it.ask(uid=1)
            second = await it.ask(uid=1)
            third = await it.ask(uid=2)
            it.pool.reconfigure(limits(1))
            for worker in list(it.spawner.alive):
                done(worker)
                await settle()
            await asyncio.gather(first, second)
            await settle()
            done(it.worker)
            await third

    run(body())


def test_a_new_count_of_jobs_holds_from_the_next_answer() -> None:
    async def body() -> None:
        async with scene() as it:
            call = await it.ask()
            it.pool.reconfigure(limits(1, jobs_per_worker=1))
            first = it.worker
            done(first)
            await call
            await settle()
            assert first.killed
            assert it.worker.number == 2

    run(body())


def test_a_worker_that_is_still_to_come_may_be_one_too_many() -> None:
    async def body() -> None:
        async with scene() as it:
            it.spawner.stuck = True
            it.pool.reconfigure(limits(2))
            await settle()
            assert states(it) == [WorkerState.IDLE, WorkerState.STARTING]
            it.pool.reconfigure(limits(1))
            await settle()
            assert len(it.spawner.alive) == 1

    run(body())


def test_an_idle_worker_that_has_done_more_than_the_new_count_is_replaced_at_once() -> None:
    async def body() -> None:
        async with scene() as it:
            for _ in range(2):
                call = await it.ask()
                done(it.worker)
                await call
            it.pool.reconfigure(limits(1, jobs_per_worker=2))
            await settle()
            assert it.worker.number == 2

    run(body())


def test_shrinking_within_the_start_starts_the_rest_and_no_more() -> None:
    async def body() -> None:
        spawner = FakeSpawner()
        pool = Pool(spawner, limits(3), FakeClock())
        starting = asyncio.create_task(pool.start())
        await asyncio.sleep(0)
        assert [worker.state for worker in pool.snapshot().workers] == [WorkerState.STARTING] * 3
        pool.reconfigure(limits(1))
        await starting
        await settle()
        assert [worker.state for worker in pool.snapshot().workers] == [WorkerState.IDLE]
        await pool.stop()

    run(body())


class SlowForTheFirstTwo(FakeSpawner):
    """Answers for workers 1 and 2 when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def spawn(self, worker: int, events: WorkerEvents) -> FakeWorker:
        if worker < 3:
            await self.go_on.wait()
        return await super().spawn(worker, events)


def test_a_start_that_is_shrunk_and_gets_no_worker_still_fails() -> None:
    async def body() -> None:
        spawner = SlowForTheFirstTwo()
        spawner.refusal = WorkerStartFailed("no worker can be forked: too many processes")
        pool = Pool(spawner, limits(3), FakeClock())
        starting = asyncio.create_task(pool.start())
        await asyncio.sleep(0)
        pool.reconfigure(limits(1))
        await settle()
        spawner.go_on.set()
        with pytest.raises(WorkerStartFailed, match="too many processes"):
            await starting

    run(body())


def test_a_change_in_the_middle_of_the_stop_starts_nothing() -> None:
    async def body() -> None:
        async with scene(workers=2) as it:
            stopping = asyncio.create_task(it.pool.stop())
            await asyncio.sleep(0)
            it.pool.reconfigure(limits(5))
            await stopping
            assert (len(it.spawner.workers), it.spawner.alive) == (2, [])

    run(body())


def test_never_more_processes_live_than_the_higher_limit_allows() -> None:
    async def body() -> None:
        async with scene(workers=3) as it:
            for workers in (1, 3, 2, 3):
                it.pool.reconfigure(limits(workers))
                assert len(it.pool.snapshot().workers) <= 3
            await settle()
            assert states(it) == [WorkerState.IDLE] * 3

    run(body())


def test_winding_down_lets_all_that_runs_and_waits_end_and_keeps_a_worker_for_each() -> None:
    async def body() -> None:
        async with scene(workers=3) as it:
            calls = [await it.ask(name=name) for name in "abcd"]
            it.pool.wind_down()
            alive = []
            for _ in calls:
                done(it.spawner.alive[0])
                await settle()
                alive.append(len(it.spawner.alive))
            await asyncio.gather(*calls)
            assert alive == [3, 2, 1, 1]

    run(body())


def test_winding_down_serves_another_user_too() -> None:
    async def body() -> None:
        async with scene(workers=2) as it:
            it.pool.wind_down()
            for uid in (1, 2):
                call = await it.ask(uid=uid)
                await settle()
                done(it.worker)
                await call
            await settle()
            assert states(it) == [WorkerState.IDLE]

    run(body())


def test_winding_down_keeps_one_worker_and_serves_whoever_still_comes() -> None:
    async def body() -> None:
        async with scene(workers=3) as it:
            it.pool.wind_down()
            await settle()
            assert len(it.spawner.alive) == 1
            calls = [await it.ask(name=name) for name in "ab"]
            await settle()
            assert states(it) == [WorkerState.BUSY] * 2
            for worker in it.spawner.alive:
                done(worker)
            await asyncio.gather(*calls)
            await settle()
            assert len(it.spawner.alive) == 1

    run(body())


@pytest.mark.parametrize("change", ["reconfigure", "wind_down"])
def test_a_pool_that_drains_or_has_stopped_can_still_be_changed(change: str) -> None:
    async def body() -> None:
        async with scene(workers=2) as it:
            call = await it.ask()

            def apply() -> None:
                it.pool.reconfigure(limits(4)) if change == "reconfigure" else it.pool.wind_down()

            draining = asyncio.create_task(it.pool.drain())
            await settle()
            apply()
            done(it.spawner.alive[0])
            await call
            await draining
            await it.pool.stop()
            apply()
            await settle()
            assert it.spawner.alive == []
            with pytest.raises(ShuttingDown):
                await (await it.ask())

    run(body())


def test_two_pools_of_one_daemon_never_number_two_workers_alike() -> None:
    async def body() -> None:
        numbers = itertools.count(1)
        pools = [Pool(FakeSpawner(), limits(2), FakeClock(), numbers) for _ in range(2)]
        for pool in pools:
            await pool.start()
        assert [worker.id for pool in pools for worker in pool.snapshot().workers] == [1, 2, 3, 4]
        for pool in pools:
            await pool.stop()

    run(body())


def test_a_change_before_the_start_decides_what_is_started() -> None:
    async def body() -> None:
        spawner = FakeSpawner()
        pool = Pool(spawner, limits(1), FakeClock())
        pool.reconfigure(limits(2))
        await settle()
        assert spawner.workers == []
        await pool.start()
        assert len(spawner.alive) == 2
        await pool.stop()

    run(body())
