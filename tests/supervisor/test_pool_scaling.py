"""A pool that has as many workers as there is work for: on the fake clock, without processes."""

from __future__ import annotations

import asyncio

import pytest

from ndfd.errors import SwarmCircuitOpen, WorkerStartFailed
from ndfd.model.status import WorkerState
from ndfd.platform import Pressure
from ndfd.supervisor import PoolLimits
from ndfd.supervisor.scaling import LOOK_S, MEMORY_SHORT_PERCENT, PATIENCE_S, STEP_S
from tests.supervisor.fake_pool import Scene, done, passing, run, scene, settle

IDLE_S = 60.0


class Machine:
    """One whose pressure a test sets, and that counts the looks at it."""

    def __init__(self) -> None:
        self.now: Pressure | None = Pressure(0.0, 0.0)
        self.looks = 0

    def pressure(self) -> Pressure | None:
        self.looks += 1
        return self.now


@pytest.fixture
def machine() -> Machine:
    return Machine()


def alive(it: Scene) -> int:
    return len(it.spawner.alive)


async def finish(it: Scene, *calls: asyncio.Task[object]) -> None:
    """Every worker that has a conversion answers."""
    for worker, status in zip(list(it.spawner.alive), it.pool.snapshot().workers, strict=True):
        if status.state is WorkerState.BUSY:
            done(worker)
    await settle()
    await asyncio.gather(*calls)
    await settle()


def test_the_first_conversion_starts_the_first_worker_and_the_pool_goes_back_to_zero() -> None:
    async def body() -> None:
        async with scene(workers=0, workers_max=4) as it:
            assert alive(it) == 0
            assert it.pool.snapshot().available
            call = await it.ask()
            assert alive(it) == 1
            await finish(it, call)
            it.clock.advance(IDLE_S - 0.1)
            await settle()
            assert alive(it) == 1
            it.clock.advance(0.2)
            await settle()
            assert alive(it) == 0

    run(body())


def test_what_waits_is_given_workers_up_to_the_most() -> None:
    async def body() -> None:
        async with scene(workers=1, workers_max=3) as it:
            calls = [await it.ask() for _ in range(5)]
            assert (alive(it), it.pool.snapshot().queued) == (3, 2)
            await finish(it)
            await finish(it, *calls)
            await passing(it, IDLE_S + 1)
            assert alive(it) == 1

    run(body())


def test_a_pool_that_is_idle_at_its_fewest_or_of_fixed_size_has_no_timer_and_looks_at_nothing(machine: Machine) -> None:
    async def body() -> None:
        for most in (2, 4):
            async with scene(workers=2, workers_max=most, pressure=machine.pressure) as it:
                for _ in range(3):
                    await finish(it, await it.ask(), await it.ask())
                assert it.clock.timers == 0
                assert machine.looks == 0

    run(body())


def test_after_its_idle_time_a_pool_has_no_timer_any_more(machine: Machine) -> None:
    async def body() -> None:
        async with scene(workers=0, workers_max=4, pressure=machine.pressure) as it:
            await finish(it, await it.ask(), await it.ask())
            assert it.clock.timers == 1
            await passing(it, IDLE_S + 1)
            assert (alive(it), it.clock.timers) == (0, 0)
            looks = machine.looks
            assert looks <= IDLE_S / LOOK_S + 4
            it.clock.advance(10_000)
            assert machine.looks == looks

    run(body())


def test_a_load_that_comes_and_goes_starts_each_worker_once() -> None:
    async def body() -> None:
        async with scene(workers=0, workers_max=4) as it:
            for _ in range(20):
                await finish(it, *[await it.ask() for _ in range(3)])
                await passing(it, IDLE_S / 4)
            assert len(it.spawner.workers) == 3

    run(body())


def test_a_lower_load_keeps_only_what_it_needs() -> None:
    async def body() -> None:
        async with scene(workers=0, workers_max=4) as it:
            await finish(it, *[await it.ask() for _ in range(4)])
            for _ in range(9):
                await finish(it, await it.ask())
                await passing(it, IDLE_S / 8)
            assert alive(it) == 1

    run(body())


def test_under_memory_pressure_nobody_comes_and_the_idle_go_one_by_one(machine: Machine) -> None:
    async def body() -> None:
        async with scene(workers=1, workers_max=8, pressure=machine.pressure) as it:
            await finish(it, *[await it.ask() for _ in range(4)])
            machine.now = Pressure(0.0, MEMORY_SHORT_PERCENT)
            await passing(it, LOOK_S + 0.1)
            assert alive(it) == 3
            await passing(it, 3 * LOOK_S)
            assert (alive(it), it.clock.timers) == (1, 0)
            calls = [await it.ask() for _ in range(3)]
            await passing(it, 10 * STEP_S)
            assert (alive(it), it.pool.snapshot().queued) == (1, 2)
            machine.now = Pressure(0.0, 0.0)
            await passing(it, 2 * STEP_S)
            assert alive(it) == 3
            await finish(it, *calls)

    run(body())


def test_on_crowded_cpus_a_conversion_waits_for_a_while_and_gets_a_worker_then(machine: Machine) -> None:
    async def body() -> None:
        machine.now = Pressure(100.0, 0.0)
        async with scene(workers=1, workers_max=8, pressure=machine.pressure) as it:
            calls = [await it.ask() for _ in range(4)]
            assert alive(it) == 1
            await passing(it, PATIENCE_S + 0.1)
            assert alive(it) == 2
            for more in (3, 4):
                await passing(it, STEP_S)
                assert alive(it) == more
            await finish(it, *calls)

    run(body())


def test_under_pressure_a_worker_that_is_lost_is_replaced_at_once(machine: Machine) -> None:
    async def body() -> None:
        async with scene(workers=1, workers_max=8, pressure=machine.pressure) as it:
            calls = [await it.ask() for _ in range(3)]
            machine.now = Pressure(100.0, 100.0)
            await passing(it, 10)
            it.spawner.alive[0].end(-9)
            await settle()
            assert alive(it) == 3
            await finish(it, *calls)

    run(body())


def test_other_limits_hold_at_once() -> None:
    async def body() -> None:
        async with scene(workers=0, workers_max=8) as it:
            call = await it.ask()
            it.pool.reconfigure(PoolLimits(2, 4, 100))
            await settle()
            assert alive(it) == 2
            await finish(it, call)
            it.pool.reconfigure(PoolLimits(0, 1, 100, idle_timeout_s=1.0))
            await settle()
            assert alive(it) == 1
            await passing(it, 2)
            assert alive(it) == 0

    run(body())


def test_a_pool_of_zero_that_cannot_start_a_worker_says_so_soon_and_recovers_by_itself() -> None:
    async def body() -> None:
        async with scene(workers=0, workers_max=4) as it:
            it.spawner.refusal = WorkerStartFailed("no worker can be forked: too many processes")
            call = await it.ask()
            await passing(it, 1)
            with pytest.raises(SwarmCircuitOpen, match="too many processes"):
                await call
            await passing(it, IDLE_S + 40)
            it.spawner.refusal = None
            await passing(it, 35)
            assert it.pool.snapshot().available
            assert it.pool.snapshot().warnings == ()
            await finish(it, await it.ask())

    run(body())
