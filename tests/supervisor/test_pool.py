"""The pool's decisions, without processes and without waiting."""

from __future__ import annotations

import asyncio
import os

import pytest

from ndfd import platform
from ndfd.errors import (
    Busy,
    ConversionOutOfMemory,
    ConversionTimeout,
    DamagedDocument,
    DocumentKillsWorkers,
    NdfdError,
    ShuttingDown,
    SwarmCircuitOpen,
    UsageError,
    WorkerCrashed,
    WorkerStartFailed,
)
from ndfd.model.conversion import ConversionReport, PageReport
from ndfd.model.status import WorkerState
from ndfd.protocol.frames import JobDone
from ndfd.supervisor import Pool, PoolLimits
from ndfd.testing import FakeClock, FakeSpawner
from tests.supervisor.fake_pool import Scene, done, failed, page, passing, run, scene, settle
from tests.supervisor.processes import open_descriptors


def states(it: Scene) -> list[WorkerState]:
    return [worker.state for worker in it.pool.snapshot().workers]


def test_a_conversion_gives_what_its_worker_answered() -> None:
    async def body() -> None:
        async with scene() as it:
            call = await it.ask()
            done(it.worker, b"# Title", pages=3)
            result = await call
            assert os.pread(result.fd, 100, 0) == b"# Title"
            assert result.report.pages == 3

    run(body())


def test_pages_are_told_as_they_come_and_shown_in_the_snapshot() -> None:
    async def body() -> None:
        async with scene() as it:
            seen: list[PageReport] = []
            await it.ask(name="a.pdf", on_page=seen.append)
            page(it.worker, 1, 2)
            it.clock.advance(5)
            assert [each.number for each in seen] == [1]
            (worker,) = it.pool.snapshot().workers
            assert (worker.document, worker.page, worker.pages, worker.busy_s) == ("a.pdf", 1, 2, 5)

    run(body())


def test_conversions_wait_in_order() -> None:
    async def body() -> None:
        async with scene() as it:
            calls = [await it.ask(name=name) for name in "abc"]
            assert it.pool.snapshot().queued == 2
            for call, name in zip(calls, "abc", strict=True):
                assert it.worker.jobs[-1].options.name == name
                done(it.worker)
                await call

    run(body())


def test_a_failure_that_the_worker_names_reaches_the_caller_and_the_worker_stays() -> None:
    async def body() -> None:
        async with scene() as it:
            call = await it.ask()
            worker = it.worker
            failed(worker, "document-damaged")
            with pytest.raises(DamagedDocument) as caught:
                await call
            assert (caught.value.page, caught.value.hint) == (2, "mend it")
            assert it.worker is worker

    run(body())


@pytest.mark.parametrize("code", ["not-permitted", "daemon-stopping", "try-again", "no-such-code"])
def test_a_worker_cannot_speak_for_the_daemon(code: str) -> None:
    async def body() -> None:
        async with scene() as it:
            call = await it.ask()
            failed(it.worker, code)
            with pytest.raises(NdfdError, match=code) as caught:
                await call
            assert type(caught.value) is NdfdError

    run(body())


def test_a_worker_that_ran_out_of_memory_is_replaced() -> None:
    async def body() -> None:
        async with scene() as it:
            call = await it.ask()
            worker = it.worker
            failed(worker, "conversion-out-of-memory")
            with pytest.raises(ConversionOutOfMemory):
                await call
            await settle()
            assert worker.killed
            assert it.worker is not worker

    run(body())


def test_a_document_that_ends_two_workers_fails_by_signal_and_page_and_the_next_one_works() -> None:
    async def body() -> None:
        async with scene() as it:
            first, second = await it.ask(), await it.ask()
            for number in (11, 6):
                page(it.worker, 1, 9)
                it.worker.end(-number)
                await settle()
            says = "first, the worker was killed by SIGSEGV on page 2 of 9; then, the worker was killed by SIGABRT"
            with pytest.raises(DocumentKillsWorkers, match=says) as caught:
                await first
            assert caught.value.page == 2
            await settle()
            done(it.worker)
            await second

    run(body())


def test_an_exit_nobody_saw_is_said_to_be_one() -> None:
    async def body() -> None:
        async with scene() as it:
            call = await it.ask()
            for _ in range(2):
                it.worker.end(None)
                await settle()
            with pytest.raises(DocumentKillsWorkers, match="nobody saw how before its first page was done"):
                await call

    run(body())


def test_a_breach_of_protocol_fails_the_conversion_and_kills_the_worker() -> None:
    async def body() -> None:
        async with scene() as it:
            call = await it.ask()
            for _ in range(2):
                worker = it.worker
                worker.babble()
                await settle()
                assert worker.killed
            with pytest.raises(DocumentKillsWorkers, match="malformed"):
                await call

    run(body())


def test_an_idle_worker_that_speaks_is_killed() -> None:
    async def body() -> None:
        async with scene() as it:
            call = await it.ask()
            worker = it.worker
            done(worker)
            done(worker)
            await call
            assert worker.killed

    run(body())


def test_a_conversion_is_killed_at_its_deadline_and_the_page_is_named() -> None:
    async def body() -> None:
        async with scene() as it:
            call = await it.ask(deadline_s=10)
            worker = it.worker
            page(worker, 1, 4)
            it.clock.advance(9.9)
            await settle()
            assert not call.done()
            it.clock.advance(0.2)
            with pytest.raises(ConversionTimeout, match="not done after 10 s: ended on page 2 of 4"):
                await call
            assert worker.killed

    run(body())


def test_the_deadline_counts_from_the_call_and_the_worker_is_told_the_rest() -> None:
    async def body() -> None:
        async with scene() as it:
            first = await it.ask()
            await it.ask(deadline_s=30)
            it.clock.advance(10)
            done(it.worker)
            await first
            assert it.worker.jobs[-1].deadline_s == pytest.approx(20)

    run(body())


def test_a_deadline_that_passes_in_the_queue_says_so_and_harms_no_worker() -> None:
    async def body() -> None:
        async with scene() as it:
            await it.ask()
            waiting = await it.ask(deadline_s=5)
            it.clock.advance(5)
            with pytest.raises(Busy, match="no worker was free within 5 s"):
                await waiting
            assert states(it) == [WorkerState.BUSY]
            assert it.pool.snapshot().queued == 0

    run(body())


def test_a_caller_that_gives_up_frees_the_worker() -> None:
    async def body() -> None:
        async with scene() as it:
            first, second = await it.ask(), await it.ask()
            worker = it.worker
            first.cancel()
            await settle()
            assert worker.killed
            done(it.worker)
            await second

    run(body())


def test_a_caller_that_gives_up_while_waiting_leaves_the_queue() -> None:
    async def body() -> None:
        async with scene() as it:
            first, second = await it.ask(), await it.ask()
            second.cancel()
            await settle()
            assert it.pool.snapshot().queued == 0
            done(it.worker)
            await first

    run(body())


def test_a_result_that_comes_in_the_moment_of_giving_up_is_closed() -> None:
    async def body() -> None:
        async with scene() as it:
            call = await it.ask()
            before = open_descriptors()
            done(it.worker)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert open_descriptors() == before
            assert states(it) == [WorkerState.IDLE]

    run(body())


def test_a_fault_of_the_callers_own_is_the_callers() -> None:
    def on_page(each: PageReport) -> None:
        raise KeyError(each.number)

    async def body() -> None:
        async with scene() as it:
            call = await it.ask(on_page=on_page)
            worker = it.worker
            page(worker, 1, 2)
            with pytest.raises(KeyError):
                await call
            assert worker.killed

    run(body())


def test_options_that_fit_no_frame_are_refused_and_the_worker_stays_free() -> None:
    async def body() -> None:
        async with scene() as it:
            with pytest.raises(UsageError):
                await (await it.ask(name="x" * 100_000))
            assert states(it) == [WorkerState.IDLE]

    run(body())


def test_a_worker_is_bound_to_the_first_user_it_serves() -> None:
    async def body() -> None:
        async with scene() as it:
            first = await it.ask(uid=7)
            worker = it.worker
            done(worker)
            await first
            again = await it.ask(uid=7)
            assert it.worker is worker
            done(worker)
            await again
            other = await it.ask(uid=8)
            assert worker.killed
            assert it.worker is not worker
            assert len(it.worker.jobs) == 1
            done(it.worker)
            await other

    run(body())


def test_a_worker_is_replaced_after_so_many_conversions() -> None:
    async def body() -> None:
        async with scene(jobs_per_worker=2) as it:
            for _ in range(4):
                call = await it.ask()
                done(it.worker)
                await call
                await settle()
            assert [len(worker.jobs) for worker in it.spawner.workers] == [2, 2, 0]

    run(body())


def test_a_worker_that_has_grown_is_replaced() -> None:
    async def body() -> None:
        async with scene() as it:
            call = await it.ask()
            worker = it.worker
            worker.rss_bytes = 50_000_001
            done(worker)
            await call
            assert worker.killed

    run(body())


def test_a_worker_that_died_unheard_costs_no_conversion() -> None:
    async def body() -> None:
        async with scene() as it:
            it.worker.over = True
            call = await it.ask()
            it.spawner.workers[0].over = False
            it.spawner.workers[0].end(-9)
            await settle()
            done(it.worker)
            await call

    run(body())


def test_idle_workers_that_keep_dying_are_replaced_ever_more_slowly() -> None:
    async def body() -> None:
        async with scene() as it:
            waits = []
            for _ in range(4):
                it.worker.end(1)
                await settle()
                before = it.clock.time()
                while not it.spawner.alive:
                    it.clock.advance(0.001)
                    await settle()
                waits.append(it.clock.time() - before)
            assert waits == pytest.approx([0.05, 0.1, 0.2, 0.4], abs=0.002)

    run(body())


def test_with_no_worker_to_be_had_callers_are_told_why_and_later_ones_are_served() -> None:
    async def body() -> None:
        async with scene() as it:
            it.spawner.refusal = WorkerStartFailed("no worker can be forked: out of memory")
            first, waiting = await it.ask(), await it.ask()
            it.worker.end(-9)
            await settle()
            assert not first.done()
            assert "no worker can be started: no worker can be forked: out of memory" in it.pool.snapshot().warnings[0]
            await passing(it, 1)
            for call in (first, waiting):
                with pytest.raises(SwarmCircuitOpen, match="out of memory"):
                    await call
            it.spawner.refusal = None
            await passing(it, 1)
            later = await it.ask()
            done(it.worker)
            await later
            assert it.pool.snapshot().warnings == ()

    run(body())


def test_a_start_without_any_worker_fails() -> None:
    async def body() -> None:
        spawner = FakeSpawner()
        spawner.refusal = WorkerStartFailed("no worker can be forked: too many processes")
        pool = Pool(spawner, PoolLimits(2, 2, 1), FakeClock())
        with pytest.raises(WorkerStartFailed, match="too many processes"):
            await pool.start()
        assert spawner.closed

    run(body())


def test_draining_finishes_what_was_taken_on_and_takes_nothing_new() -> None:
    async def body() -> None:
        async with scene() as it:
            first, second = await it.ask(), await it.ask()
            draining = asyncio.create_task(it.pool.drain())
            await settle()
            with pytest.raises(ShuttingDown):
                await (await it.ask())
            for call in (first, second):
                assert not draining.done()
                done(it.worker)
                await call
            await draining

    run(body())


def test_stopping_fails_what_runs_and_what_waits_and_ends_every_worker() -> None:
    async def body() -> None:
        async with scene(workers=2) as it:
            calls = [await it.ask() for _ in range(3)]
            await it.pool.stop()
            for call in calls:
                with pytest.raises(ShuttingDown):
                    await call
            assert it.spawner.alive == []
            assert it.spawner.closed
            assert it.pool.snapshot().workers == ()

    run(body())


def test_stopping_does_not_wait_for_a_worker_that_is_still_to_come() -> None:
    async def body() -> None:
        async with scene() as it:
            it.spawner.stuck = True
            it.worker.kill()
            await settle()
            it.clock.advance(1)
            await settle()
            assert states(it) == [WorkerState.STARTING]
            await it.pool.stop()
            assert it.pool.snapshot().workers == ()

    run(body())


def test_an_unsealed_result_is_a_breach_and_is_closed() -> None:
    async def body() -> None:
        async with scene() as it:
            call = await it.ask()
            before = open_descriptors()
            fd = platform.memfd("result")
            for _ in range(2):
                it.worker.say(JobDone(it.worker.jobs[0].id, ConversionReport(1, 0, 0, "", 0, 0.0, 0)), fd)
                await settle()
            os.close(fd)
            with pytest.raises(DocumentKillsWorkers, match="not a sealed memfd"):
                await call
            assert open_descriptors() == before

    run(body())


def test_a_second_attempt_comes_first_gets_a_fresh_worker_and_tells_no_page_twice() -> None:
    async def body() -> None:
        told: list[int] = []
        async with scene() as it:
            first = await it.ask(name="first", on_page=lambda each: told.append(each.number))
            second = await it.ask(name="second")
            page(it.worker, 1, 3)
            page(it.worker, 2, 3)
            it.worker.end(-11)
            await settle()
            assert it.worker.jobs[-1].options.name == "first"
            for number in (1, 2, 3):
                page(it.worker, number, 3)
            done(it.worker)
            await first
            assert told == [1, 2, 3]
            await settle()
            done(it.worker)
            await second

    run(body())


def test_a_second_attempt_that_finds_no_worker_in_time_fails_by_what_ended_the_first() -> None:
    async def body() -> None:
        async with scene() as it:
            call = await it.ask(deadline_s=5)
            it.spawner.stuck = True
            it.worker.end(-11)
            await settle()
            it.clock.advance(5)
            with pytest.raises(WorkerCrashed, match="SIGSEGV"):
                await call

    run(body())


def test_a_conversion_that_its_caller_gave_up_is_not_tried_again() -> None:
    async def body() -> None:
        async with scene() as it:
            call = await it.ask()
            worker = it.worker
            call.cancel()
            await settle()
            assert worker.killed
            await settle()
            assert it.worker.jobs == []

    run(body())
