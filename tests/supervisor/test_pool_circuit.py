"""A pool whose workers end without a document being the cause, and documents that would have it look so."""

from __future__ import annotations

import asyncio
import os

import pytest

from ndfd import platform
from ndfd.errors import DocumentKillsWorkers, SwarmCircuitOpen, WorkerStartFailed
from ndfd.model.conversion import ConvertOptions
from ndfd.supervisor import Pool, PoolLimits
from ndfd.supervisor.back_off import LAST_S
from ndfd.supervisor.circuit import FAILURES_MAX, PROBATION_S
from ndfd.supervisor.spawner import WorkerEvents
from ndfd.testing import FakeClock, FakeSpawner, FakeWorker
from tests.supervisor.fake_pool import Scene, done, passing, run, scene, settle


async def open_circuit(it: Scene) -> None:
    """Idle workers end until no more are started."""
    for _ in range(FAILURES_MAX):
        while not it.spawner.alive:
            it.clock.advance(0.01)
            await settle()
        for worker in it.spawner.alive:
            worker.end(1)
        await settle()
    assert not it.pool.snapshot().available


def test_after_some_idle_deaths_conversions_fail_at_once_and_say_why() -> None:
    async def body() -> None:
        async with scene() as it:
            await open_circuit(it)
            before = it.clock.time()
            with pytest.raises(
                SwarmCircuitOpen, match="an idle worker exited with status 1; the next one is tried in"
            ) as e:
                await (await it.ask())
            assert it.clock.time() == before
            assert e.value.retryable
            assert (e.value.exit_status, e.value.http_status) == (75, 503)
            assert "the circuit is open" in it.pool.snapshot().warnings[0]
            assert it.pool.snapshot().queued == 0

    run(body())


def test_those_that_wait_when_it_opens_are_told_so() -> None:
    async def body() -> None:
        async with scene() as it:
            it.worker.end(1)
            await settle()
            it.spawner.refusal = WorkerStartFailed("no worker can be forked: out of memory")
            call = await it.ask(deadline_s=10_000)
            await passing(it, 1)
            with pytest.raises(SwarmCircuitOpen, match="out of memory"):
                await call

    run(body())


def test_what_passes_soon_is_noticed_by_nobody() -> None:
    async def body() -> None:
        async with scene() as it:
            it.spawner.refusal = WorkerStartFailed("no worker can be forked: try again")
            it.worker.end(1)
            await settle()
            call = await it.ask()
            await passing(it, 0.2)
            assert not call.done()
            it.spawner.refusal = None
            await passing(it, 0.3)
            done(it.worker)
            await call

    run(body())


def test_one_worker_is_tried_and_when_it_answers_all_come_back() -> None:
    async def body() -> None:
        async with scene(workers=3) as it:
            await open_circuit(it)
            await passing(it, 0.9)
            trial = it.worker
            call = await it.ask()
            done(trial)
            await call
            await settle()
            assert len(it.spawner.alive) == 3
            assert it.pool.snapshot().warnings == ()

    run(body())


def test_a_trial_that_nobody_asks_for_anything_has_proved_itself_when_it_lives_on() -> None:
    async def body() -> None:
        async with scene(workers=3) as it:
            await open_circuit(it)
            await passing(it, 0.9 + PROBATION_S / 2)
            assert len(it.spawner.alive) == 1
            await passing(it, PROBATION_S)
            assert len(it.spawner.alive) == 3
            assert it.clock.timers == 0

    run(body())


def test_trials_that_fail_come_ever_more_slowly() -> None:
    async def body() -> None:
        async with scene(workers=3) as it:
            await open_circuit(it)
            begun = len(it.spawner.workers)
            for _ in range(600):
                await passing(it, 0.5)
                for worker in it.spawner.alive:
                    worker.end(1)
            # 0.8 s, doubled each time: 7 of them are 102 s; then every 30 s.
            assert 7 <= len(it.spawner.workers) - begun <= 7 + 300 / LAST_S

    run(body())


def test_while_it_is_open_whoever_is_alive_serves_its_user_and_is_not_given_up_for_another() -> None:
    async def body() -> None:
        async with scene(workers=2) as it:
            call = await it.ask(uid=1)
            mine = it.spawner.alive[0]
            done(mine)
            await call
            for _ in range(FAILURES_MAX):
                for worker in it.spawner.alive[1:]:
                    worker.end(1)
                await settle()
                if "circuit" not in "".join(it.pool.snapshot().warnings):
                    await passing(it, 0.5)
            assert it.spawner.alive == [mine]
            with pytest.raises(SwarmCircuitOpen):
                await (await it.ask(uid=2))
            again = await it.ask(uid=1)
            done(mine)
            await again
            assert it.spawner.alive == [mine]

    run(body())


@pytest.mark.parametrize("act", ["crash", "babble", "answer-and-die", "speak-after", "exit"])
def test_documents_that_kill_their_workers_open_nothing_and_delay_nobody(act: str) -> None:
    async def body() -> None:
        async with scene() as it:
            for _ in range(5 * FAILURES_MAX):
                call = await it.ask(uid=666)
                for _ in range(2):
                    worker = it.worker
                    match act:
                        case "crash":
                            worker.end(-11)
                        case "exit":
                            worker.end(70)
                        case "babble":
                            worker.babble()
                        case "answer-and-die":
                            done(worker)
                            worker.end(-9)
                        case "speak-after":
                            done(worker)
                            worker.babble()
                    await settle()
                    if act in ("answer-and-die", "speak-after"):
                        break
                if act in ("answer-and-die", "speak-after"):
                    await call
                else:
                    with pytest.raises(DocumentKillsWorkers):
                        await call
                assert it.pool.snapshot().warnings == ()
            # Not a moment has passed.
            other = await it.ask(uid=7)
            done(it.worker)
            await other

    run(body())


def test_a_hostile_document_on_the_trial_worker_keeps_nothing_open() -> None:
    async def body() -> None:
        async with scene() as it:
            await open_circuit(it)
            await passing(it, 0.9)
            call = await it.ask(uid=666)
            for _ in range(2):
                it.worker.end(-11)
                await settle()
            with pytest.raises(DocumentKillsWorkers):
                await call
            other = await it.ask(uid=7)
            done(it.worker)
            await other
            assert it.pool.snapshot().warnings == ()

    run(body())


def test_only_one_worker_is_on_trial_however_many_ask() -> None:
    async def body() -> None:
        async with scene(workers=3) as it:
            await open_circuit(it)
            await passing(it, 0.9)
            calls = [await it.ask(uid=7) for _ in range(5)]
            done(it.worker)
            await calls[0]
            for _ in range(2):
                await settle()
                for worker in it.spawner.alive:
                    if worker.jobs:
                        done(worker)
            await asyncio.gather(*calls)

    run(body())


def test_a_fresh_worker_that_speaks_before_any_document_counts_and_does_not_loop() -> None:
    async def body() -> None:
        async with scene() as it:
            for _ in range(50):
                for worker in it.spawner.alive:
                    worker.babble()
                await settle()
            assert len(it.spawner.workers) == 1
            await passing(it, 0.1)
            assert len(it.spawner.workers) == 2

    run(body())


def test_while_it_is_open_an_idle_worker_of_another_user_is_not_given_up_for_those_who_wait() -> None:
    async def body() -> None:
        async with scene(workers=3) as it:
            theirs, mine, lost = it.spawner.alive
            calls = [await it.ask(uid=1), await it.ask(uid=2)]
            done(theirs)
            for _ in range(FAILURES_MAX):
                for worker in it.spawner.alive:
                    if worker not in (theirs, mine):
                        worker.end(1)
                await settle()
                if "circuit" not in "".join(it.pool.snapshot().warnings):
                    await passing(it, 0.5)
            calls += [await it.ask(uid=2), await it.ask(uid=2)]
            assert it.spawner.alive == [theirs, mine]
            for _ in range(3):
                done(mine)
                await settle()
            await asyncio.gather(*calls)
            assert lost.over

    run(body())


class StillbornSpawner(FakeSpawner):
    """Its workers have ended when they are told of; with `late` they come when nobody waits for them any more."""

    def __init__(self, *, late: bool = False) -> None:
        super().__init__()
        self._late = late

    async def spawn(self, worker: int, events: WorkerEvents) -> FakeWorker:
        made = await super().spawn(worker, events)
        made.end(70)
        if self._late:
            raise WorkerStartFailed("the zygote did not answer within 20 s")
        return made


@pytest.mark.parametrize("late", [False, True])
def test_a_worker_that_has_ended_before_it_is_there_is_one_that_could_not_be_started(late: bool) -> None:
    async def body() -> None:
        spawner, clock = StillbornSpawner(late=late), FakeClock()
        pool = Pool(spawner, PoolLimits(0, 2, 100), clock)
        await pool.start()
        document_fd = platform.sealed_memfd("document", b"%PDF")
        call = asyncio.create_task(pool.convert(document_fd, ConvertOptions(deadline_s=600.0), uid=7))
        for _ in range(100):
            await settle()
            clock.advance(0.01)
        says = "the zygote did not answer" if late else "exited with status 70 as soon as it was started"
        with pytest.raises(SwarmCircuitOpen, match=says):
            await call
        assert len(spawner.workers) == FAILURES_MAX
        await pool.stop()
        os.close(document_fd)

    run(body())


def test_stopping_while_it_is_open_leaves_no_timer() -> None:
    async def body() -> None:
        async with scene() as it:
            await open_circuit(it)
            await it.pool.stop()
            assert it.clock.timers == 0
            it.clock.advance(1000)
            await settle()
            assert it.spawner.alive == []

    run(body())
