"""Runs that give no result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from ndfd.errors import (
    Busy,
    DamagedDocument,
    DocumentKillsWorkers,
    NdfdError,
    SwarmCircuitOpen,
    WorkerCrashed,
)
from ndfd.model.job_states import JobState
from ndfd.model.jobs import JobQuery
from tests.dispatch.fake_pools import Call, FakePools
from tests.dispatch.scene import policy, run, scene, settle


def failing(error: NdfdError, times: int = 10**9) -> Callable[[Call], None]:
    """The first runs fail so, those after them succeed."""
    left = [times]

    def behave(call: Call) -> None:
        if left[0] > 0:
            left[0] -= 1
            call.fail(error)
        else:
            call.done()

    return behave


def test_a_document_that_kills_workers_is_quarantined_with_its_page(tmp_path: Path) -> None:
    async def body() -> None:
        error = DocumentKillsWorkers("it ended two workers", page=3)
        async with scene(tmp_path, behaviour=failing(error)) as it:
            (job,) = await it.ended(await it.job("bad"))
            assert job.state is JobState.QUARANTINED
            assert job.fault is not None
            assert (job.fault.code, job.fault.page) == ("document-kills-workers", 3)
            with pytest.raises(DocumentKillsWorkers):
                await it.service.result(job.id, 7)
            assert it.service.counts().quarantined == 1
            # After a fix its owner has it run anew.
            it.pools.behaviour = Call.done
            await it.service.retry(job.id, 7)
            (job,) = await it.ended(job)
            assert (job.state, job.attempts, job.fault) == (JobState.SUCCEEDED, 1, None)

    run(body())


def test_a_document_at_fault_fails_once_and_holds_up_nobody(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path) as it:
            it.pools.behaviour = lambda call: (
                call.fail(DamagedDocument("no")) if "bad" in call.document else call.done()
            )
            jobs = await it.ended(*[await it.job(text) for text in ("bad 1", "good", "bad 2")])
            assert [job.state for job in jobs] == [JobState.FAILED, JobState.SUCCEEDED, JobState.FAILED]
            assert len(it.pools.calls) == 3

    run(body())


def test_a_crash_is_tried_again_and_succeeds_in_the_end(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=failing(WorkerCrashed("it crashed"), 2)) as it:
            (job,) = await it.ended(await it.job("hello"))
            assert (job.state, job.attempts) == (JobState.SUCCEEDED, 3)
            assert it.service.counts().postponed == 2
            events = [change.event for change in await it.service.history(job.id, 7)]
            assert events.count("postponed") == 2

    run(body())


def test_a_crash_each_time_fails_after_the_last_attempt(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=failing(WorkerCrashed("it crashed"))) as it:
            (job,) = await it.ended(await it.job("hello"))
            assert (job.state, job.attempts) == (JobState.FAILED, 3)
            assert len(it.pools.calls) == 3

    run(body())


def test_waiting_for_a_worker_in_vain_costs_no_attempt_however_often(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=failing(Busy("no worker was free"), 7)) as it:
            (job,) = await it.ended(await it.job("hello"))
            assert (job.state, job.attempts) == (JobState.SUCCEEDED, 1)

    run(body())


def test_a_pool_without_workers_rests_and_no_job_fails_of_it(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, workers=2, behaviour=failing(SwarmCircuitOpen("no worker can be had"), 20)) as it:
            jobs = [await it.job(f"document {number}") for number in range(30)]
            ended = await it.ended(*jobs)
            assert {job.state for job in ended} == {JobState.SUCCEEDED}
            assert {job.attempts for job in ended} == {1}
            # Those leased at the time ask in vain, four at most, then nobody for a while.
            assert len(it.pools.calls) == 30 + 20

    run(body())


def test_a_pool_that_stops_gives_its_jobs_to_the_one_that_follows(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, workers=2, behaviour=None) as it:
            jobs = [await it.job(f"document {number}") for number in range(3)]
            await it.pools.asked(2)
            it.pools.behaviour = Call.done
            it.pools.stop()
            ended = await it.ended(*jobs)
            assert [(job.state, job.attempts) for job in ended] == [(JobState.SUCCEEDED, 1)] * 3

    run(body())


def test_a_fault_of_ndfds_own_is_the_jobs_end_and_not_the_loops(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path) as it:
            it.pools.behaviour = lambda call: call.fail(ZeroDivisionError()) if "bad" in call.document else call.done()
            jobs = await it.ended(await it.job("bad"), await it.job("good"))
            assert [job.state for job in jobs] == [JobState.FAILED, JobState.SUCCEEDED]
            assert jobs[0].fault is not None
            assert jobs[0].fault.code == "internal"

    run(body())


def test_a_daemon_short_of_descriptors_tries_again(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            job = await it.job("hello")
            call = await it.pools.called(1)
            it.pools.behaviour = Call.done
            call.fail(OSError(24, "Too many open files"))
            (job,) = await it.ended(job)
            assert (job.state, job.attempts) == (JobState.SUCCEEDED, 2)

    run(body())


def test_a_job_whose_pool_is_gone_after_a_reload_says_so_and_waits_for_it(tmp_path: Path) -> None:
    async def body() -> None:
        pools = FakePools("default", "other")
        both = policy({"default": 1, "other": 1})
        async with scene(tmp_path, pools=pools, rules=both) as it:
            jobs = [await it.job(f"document {number}", pool="other") for number in range(4)]
            (call,) = await pools.asked(1)
            pools.names = ("default",)
            it.service.reconfigure(policy(1))
            # What runs goes on in the pool that it holds.
            pools.behaviour = Call.done
            call.done()
            await it.ended(jobs[0])
            # The one that was leased ahead has been put back.
            while it.store.totals().running:
                await asyncio.sleep(0)
            for job in (await it.service.list(JobQuery(states=(JobState.QUEUED,)), None)).jobs:
                assert job.fault is not None
                assert job.fault.code == "pool-unknown"
                assert job.attempts == 0
            await settle()
            assert len(pools.calls) == 1
            pools.names = ("default", "other")
            it.service.reconfigure(both)
            ended = await it.ended(*jobs)
            assert [(job.state, job.attempts) for job in ended] == [(JobState.SUCCEEDED, 1)] * 4

    run(body())
