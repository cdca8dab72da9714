"""Whether a pool makes progress."""

from __future__ import annotations

from collections.abc import Callable

from ndfd.errors import WorkerStartFailed
from ndfd.supervisor import Load, PoolLimits
from ndfd.supervisor.progress import IDLE_S, OVERDUE_S, START_S
from ndfd.testing import FakeClock
from ndfd.testing.clock import FakeTimer
from tests.supervisor.fake_pool import run, scene, settle


class ForgetfulClock(FakeClock):
    """Of no call to come it thinks."""

    def call_later(self, delay_s: float, callback: Callable[..., object], /, *args: object) -> FakeTimer:
        """Not."""
        return FakeTimer(lambda: None)


def test_a_pool_that_rests_and_one_that_has_much_to_do_are_not_stuck() -> None:
    async def body() -> None:
        async with scene(2) as it:
            it.clock.advance(10_000)
            assert it.pool.stuck() is None
            for _ in range(5):
                await it.ask(deadline_s=7200)
            it.clock.advance(3600)
            assert it.pool.stuck() is None
            assert it.pool.load() == Load(workers=2, converting=2, queued=3, trouble=None)

    run(body())


def test_a_deadline_that_nothing_came_of_is_seen_for_those_that_wait_too() -> None:
    async def body() -> None:
        async with scene(clock=ForgetfulClock()) as it:
            await it.ask(deadline_s=300)
            await it.ask(deadline_s=60)
            it.clock.advance(60 + OVERDUE_S)
            assert it.pool.stuck() is None
            it.clock.advance(1)
            assert it.pool.stuck() == "conversion 2 was not ended at its deadline, 31 s ago"
            it.calls[1].cancel()
            await settle()
            assert it.pool.stuck() is None
            it.clock.advance(240)
            assert it.pool.stuck() == "conversion 1 was not ended at its deadline, 31 s ago"

    run(body())


def test_a_start_of_a_worker_without_an_end_is_seen() -> None:
    async def body() -> None:
        async with scene() as it:
            it.spawner.stuck = True
            it.worker.end(1)
            await settle()
            it.clock.advance(START_S)
            assert it.pool.stuck() is None
            it.clock.advance(1)
            assert it.pool.stuck() == f"the start of worker 2 has come to no end for {START_S + 1:.0f} s"

    run(body())


def test_workers_that_cannot_be_started_are_trouble_and_no_standstill() -> None:
    async def body() -> None:
        async with scene() as it:
            it.spawner.refusal = WorkerStartFailed("no fork")
            it.worker.end(1)
            await settle()
            for _ in range(50):
                it.clock.advance(START_S)
                await settle()
            assert it.pool.stuck() is None
            trouble = it.pool.load().trouble
            assert trouble is not None
            assert "no fork" in trouble

    run(body())


def test_work_beside_a_worker_that_could_do_it_is_seen() -> None:
    async def body() -> None:
        async with scene() as it:
            # The fault that it is for, which the pool does not have.
            it.pool._dispatch = lambda: None  # type: ignore[method-assign]
            await it.ask(deadline_s=300)
            it.clock.advance(IDLE_S)
            assert it.pool.stuck() is None
            it.clock.advance(1)
            assert it.pool.stuck() == f"conversion 1 waits, with worker 1 idle for {IDLE_S + 1:.0f} s"

    run(body())


def test_another_configuration_leaves_no_work_beside_an_idle_worker() -> None:
    async def body() -> None:
        async with scene() as it:
            dispatch, it.pool._dispatch = it.pool._dispatch, lambda: None  # type: ignore[method-assign]
            await it.ask()
            it.pool._dispatch = dispatch  # type: ignore[method-assign]
            it.pool.reconfigure(PoolLimits(1, 1, 100))
            assert it.pool.load().converting == 1

    run(body())
