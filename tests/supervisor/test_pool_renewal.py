"""The rolling restart: every worker is replaced, one by one, and nobody notices."""

from __future__ import annotations

import asyncio

import pytest

from ndfd.errors import ShuttingDown, WorkerStartFailed
from ndfd.model.status import WorkerState
from ndfd.supervisor import PoolLimits
from ndfd.testing import FakeSpawner
from tests.supervisor.fake_pool import Scene, done, passing, run, scene, settle

READY = {WorkerState.IDLE, WorkerState.BUSY, WorkerState.DRAINING}


def states(it: Scene) -> list[WorkerState]:
    return [worker.state for worker in it.pool.snapshot().workers]


def numbers(it: Scene) -> set[int]:
    return {worker.number for worker in it.spawner.alive}


async def renew(it: Scene) -> asyncio.Task[None]:
    task = asyncio.create_task(it.pool.renew())
    await settle()
    return task


async def fewest_ready(it: Scene, task: asyncio.Task[None], seen: list[int]) -> None:
    """Notes after every turn of the event loop how many are ready."""
    while not task.done():
        seen.append(sum(state in READY for state in states(it)))
        await asyncio.sleep(0)


def test_idle_workers_are_replaced_one_after_the_other_was() -> None:
    async def body() -> None:
        async with scene(workers=4) as it:
            task, seen = asyncio.create_task(it.pool.renew()), [4]
            await fewest_ready(it, task, seen)
            assert min(seen) == 3
            assert numbers(it) == {5, 6, 7, 8}
            assert states(it) == [WorkerState.IDLE] * 4

    run(body())


def test_the_next_one_stays_until_the_fresh_one_is_there() -> None:
    async def body() -> None:
        async with scene(workers=3) as it:
            it.spawner.stuck = True
            task = await renew(it)
            await passing(it, 100)
            assert sorted(states(it)) == [WorkerState.IDLE, WorkerState.IDLE, WorkerState.STARTING]
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(body())


def test_busy_ones_go_with_their_answers_and_a_long_document_holds_up_no_other() -> None:
    async def body() -> None:
        async with scene(workers=3) as it:
            calls = [await it.ask(name=name) for name in "abc"]
            long, short, other = it.spawner.alive
            task = await renew(it)
            assert states(it) == [WorkerState.BUSY] * 3
            for worker in (short, other):
                done(worker)
                await settle()
                assert worker.killed
            # The last one takes no other.
            assert states(it)[0] is WorkerState.DRAINING
            assert not task.done()
            done(long)
            await task
            await asyncio.gather(*calls)
            assert numbers(it) == {4, 5, 6}

    run(body())


def test_two_that_answer_in_one_moment_do_not_go_together() -> None:
    async def body() -> None:
        async with scene(workers=3) as it:
            calls = [await it.ask(name=name) for name in "abc"]
            task = await renew(it)
            workers, seen = it.spawner.alive, [3]
            for worker in workers:
                done(worker)
            await fewest_ready(it, task, seen)
            assert min(seen) == 2
            await asyncio.gather(*calls)
            assert numbers(it) == {4, 5, 6}

    run(body())


def test_a_worker_that_drains_takes_nothing_of_what_waits() -> None:
    async def body() -> None:
        async with scene(workers=1) as it:
            first = await it.ask()
            old = it.worker
            task = await renew(it)
            assert states(it) == [WorkerState.DRAINING]
            second = await it.ask()
            done(old)
            await task
            await settle()
            assert len(old.jobs) == 1
            done(it.worker)
            await asyncio.gather(first, second)

    run(body())


def test_a_worker_that_drains_is_not_counted_when_others_are_too_many() -> None:
    async def body() -> None:
        async with scene(workers=2) as it:
            call = await it.ask()
            task = await renew(it)
            assert sorted(states(it)) == [WorkerState.DRAINING, WorkerState.IDLE]
            it.pool.reconfigure(PoolLimits(1, 1, 100))
            await settle()
            assert sorted(states(it)) == [WorkerState.DRAINING, WorkerState.IDLE]
            done(it.spawner.alive[0])
            await asyncio.gather(call, task)
            assert states(it) == [WorkerState.IDLE]

    run(body())


def test_a_worker_that_dies_while_it_drains_has_its_conversion_tried_again() -> None:
    async def body() -> None:
        async with scene(workers=1) as it:
            call = await it.ask()
            task = await renew(it)
            it.worker.end(-11)
            await task
            await settle()
            done(it.worker)
            await call

    run(body())


def test_a_conversion_that_is_given_up_while_its_worker_drains_ends_it() -> None:
    async def body() -> None:
        async with scene(workers=1) as it:
            call = await it.ask()
            task = await renew(it)
            call.cancel()
            await task
            assert numbers(it) == {2}

    run(body())


def test_under_load_nothing_is_lost_and_no_more_than_one_is_missing() -> None:
    async def body() -> None:
        async with scene(workers=4) as it:
            answering = asyncio.create_task(answer_all(it.spawner))
            calls = [asyncio.create_task(asked(it)) for _ in range(200)]
            await settle()
            task, seen = asyncio.create_task(it.pool.renew()), [4]
            await fewest_ready(it, task, seen)
            await asyncio.gather(*calls)
            answering.cancel()
            assert min(seen) == 3
            assert numbers(it) == {5, 6, 7, 8}

    async def asked(it: Scene) -> None:
        await (await it.ask())

    async def answer_all(spawner: FakeSpawner) -> None:
        answered: set[int] = set()
        while True:
            for worker in list(spawner.alive):
                if worker.jobs and worker.jobs[-1].id not in answered:
                    answered.add(worker.jobs[-1].id)
                    done(worker)
                    await asyncio.sleep(0)
            await asyncio.sleep(0)

    run(body())


def test_it_waits_for_a_machine_that_can_start_workers_again() -> None:
    async def body() -> None:
        async with scene(workers=2) as it:
            it.spawner.refusal = WorkerStartFailed("no worker can be forked: try again")
            task = await renew(it)
            await passing(it, 2)
            assert numbers(it) == {2}
            it.spawner.refusal = None
            await passing(it, 10)
            await task
            assert len(numbers(it)) == 2
            assert 2 not in numbers(it)

    run(body())


def test_two_at_the_same_time_and_one_of_nobody_end() -> None:
    async def body() -> None:
        async with scene(workers=2) as it:
            await asyncio.gather(it.pool.renew(), it.pool.renew())
            assert numbers(it).isdisjoint({1, 2})
        async with scene(workers=0, workers_max=2) as it:
            await it.pool.renew()
            assert numbers(it) == set()

    run(body())


def test_a_stop_in_the_middle_says_so() -> None:
    async def body() -> None:
        async with scene(workers=2) as it:
            call = await it.ask()
            task = await renew(it)
            await it.pool.stop()
            for each in (task, call):
                with pytest.raises(ShuttingDown):
                    await each

    run(body())
