"""From the store by the scheduler to the pool, and back."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobQuery
from ndfd.scheduler import rank
from ndfd.store import Step
from tests.dispatch.fake_pools import Call, FakePools
from tests.dispatch.scene import policy, run, scene, states


def test_a_job_is_converted_and_its_result_is_kept(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path) as it:
            (job,) = await it.ended(await it.job("hello", uid=7))
            assert job.state is JobState.SUCCEEDED
            assert job.attempts == 1
            assert job.report is not None
            assert await it.result(job) == "HELLO"
            assert [each.uid for each in it.pools.calls] == [7]
            assert (await it.service.history(job.id, 7))[-1].event == "succeeded"

    run(body())


def test_what_was_in_the_queue_at_the_start_runs(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, start=False) as it:
            jobs = [await it.job(f"document {number}") for number in range(5)]
        async with scene(tmp_path, workers=2) as it:
            assert states(await it.ended(*jobs)) == [JobState.SUCCEEDED] * 5

    run(body())


def test_no_more_conversions_are_asked_for_than_there_are_workers_and_one_more_each_is_leased(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, workers=2, behaviour=None) as it:
            jobs = [await it.job(f"document {number}") for number in range(9)]
            await it.pools.asked(2)
            while it.store.totals().running < 4:
                await asyncio.sleep(0)
            assert it.store.totals().queued == 5
            while not all(job.state is JobState.SUCCEEDED for job in [await it.service.get(j.id, None) for j in jobs]):
                for call in list(it.pools.running):
                    if not call.outcome.done():
                        call.done()
                await asyncio.sleep(0)
                assert it.store.totals().running <= 4 + it.service.counts().results_held
            assert it.pools.most_at_once["default"] == 2

    run(body())


def test_a_run_has_the_deadline_that_was_asked_for_within_what_is_allowed(tmp_path: Path) -> None:
    async def body() -> None:
        rules = policy(default_deadline_s=30.0, max_deadline_s=60.0)
        async with scene(tmp_path, rules=rules) as it:
            await it.ended(await it.job("a"), await it.job("b", deadline_s=5.0), await it.job("c", deadline_s=5000.0))
            assert {call.document: call.options.deadline_s for call in it.pools.calls} == {"a": 30, "b": 5, "c": 60}

    run(body())


def test_a_job_for_one_pool_does_not_wait_behind_those_of_a_full_one(tmp_path: Path) -> None:
    async def body() -> None:
        pools = FakePools("default", "other")
        async with scene(tmp_path, pools=pools, rules=policy({"default": 1, "other": 1})) as it:
            for number in range(30):
                await it.job(f"stuck {number}")
            await pools.asked(1)
            free = await it.job("free", pool="other")
            call = (await pools.asked(2))[1]
            assert (call.pool, call.document) == ("other", "free")
            call.done()
            await it.ended(free)
            assert it.pools.most_at_once["default"] == 1

    run(body())


def test_the_store_ranks_as_the_scheduler_does_and_gives_the_first_of_each_user_for_each_pool(tmp_path: Path) -> None:
    async def body() -> None:
        rules = policy({"default": 1, "other": 1, "third": 1})
        async with scene(tmp_path, rules=rules, start=False) as it:
            jobs = [
                await it.job(f"{pool} {uid} {number}", uid=uid, pool=pool, priority=number % 3 - 1)
                for pool in (None, "other", "third")
                for uid in (-1, 0, 7)
                for number in range(4)
            ]
            ready = await it.store.ready(it.store.now(), 2)
            ranks = {job.id: rank(job.accepted_at, job.priority) for job in jobs}
            assert {each.id: each.rank for each in ready} == {each.id: ranks[each.id] for each in ready}
            for pool in (None, "other", "third"):
                for uid in (-1, 0, 7):
                    line = sorted((job.id for job in jobs if (job.uid, job.pool) == (uid, pool)), key=ranks.__getitem__)
                    assert [each.id for each in ready if (each.uid, each.pool) == (uid, pool)] == line[:2]

    run(body())


def test_the_higher_priority_runs_first(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, start=False) as it:
            jobs = [await it.job(f"{priority}", priority=priority) for priority in (-10, 0, 10, 5)]
            it.service.start()
            await it.ended(*jobs)
            assert [call.document for call in it.pools.calls] == ["10", "5", "0", "-10"]

    run(body())


def test_users_take_turns_however_much_one_of_them_has_brought(tmp_path: Path) -> None:
    """With the real loop: what one user brought late begins long before the pile of another is done."""

    async def body() -> None:
        async with scene(tmp_path, workers=2, behaviour=None) as it:
            pile = [await it.job(f"pile {number}", uid=1) for number in range(60)]
            await it.pools.asked(2)
            few = [await it.job(f"few {number}", uid=2) for number in range(10)]
            it.pools.behaviour = Call.done
            for call in it.pools.running:
                call.done()
            await it.ended(*few, *pile)
            places = [place for place, call in enumerate(it.pools.calls) if call.uid == 2]
            # Four of the pile were leased already; from then on each has every second place, or nearly.
            assert places[-1] <= 4 + 2 * len(few) + 6, places

    run(body())


def test_no_user_has_more_running_than_it_may_have(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None, rules=policy(4, running_per_user_max=2)) as it:
            jobs = [await it.job(f"one {number}", uid=1) for number in range(6)]
            await it.pools.asked(2)
            jobs.append(await it.job("other", uid=2))
            calls = await it.pools.asked(3)
            assert sorted(call.uid for call in calls) == [1, 1, 2]
            it.pools.behaviour = Call.done
            for call in calls:
                call.done()
            await it.ended(*jobs)

    run(body())


def test_a_result_is_only_there_once_it_is_on_the_disk(tmp_path: Path) -> None:
    async def body() -> None:
        steps: list[Step] = []
        async with scene(tmp_path) as it:
            it.store.reached = steps.append
            await it.ended(await it.job("hello"))
        order = [Step.SUBMITTED, Step.LEASED, Step.RUN_ENDED, Step.RESULT_SYNCED, Step.PUBLISH_WRITTEN, Step.PUBLISHED]
        assert [step for step in steps if step in order] == order

    run(body())


def test_pages_are_counted_while_a_job_runs_and_not_afterwards(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            job = await it.job("hello")
            call = await it.pools.called(1)
            assert (await it.service.get(job.id, 7)).pages is None
            call.page(1, 9)
            # Several workers read a long document: its pages are not done in order.
            call.page(5, 9)
            seen = await it.service.get(job.id, 7)
            assert (seen.pages_done, seen.pages) == (2, 9)
            listed = (await it.service.list(JobQuery(), 7)).jobs
            assert [(each.pages_done, each.pages) for each in listed] == [(2, 9)]
            call.done()
            (job,) = await it.ended(job)
            assert (job.pages_done, job.pages) == (None, None)

    run(body())


def test_the_same_work_again_is_the_same_job_and_runs_once(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path) as it:
            first, second = await asyncio.gather(it.submit("hello"), it.submit("hello"))
            assert first.job.id == second.job.id
            await it.ended(first.job)
            third = await it.submit("hello")
            assert third.reused
            assert third.job.state is JobState.SUCCEEDED
            assert len(it.pools.calls) == 1
            counts = it.service.counts()
            assert (counts.accepted, counts.reused, counts.succeeded) == (1, 2, 1)

    run(body())


def test_a_pool_is_held_for_as_long_as_a_run_needs_it(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            job = await it.job("hello")
            call = await it.pools.called(1)
            assert it.pools.held_now["default"] == 1
            call.done()
            await it.ended(job)
            assert it.pools.held_now["default"] == 0

    run(body())


@pytest.mark.parametrize("many", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_jobs_queued_and_then_cancelled_leave_nothing_behind(tmp_path: Path, many: int) -> None:
    async def body() -> None:
        async with scene(tmp_path, workers=2, behaviour=None) as it:
            jobs: list[Job] = []
            for first in range(0, many, 500):
                jobs += await asyncio.gather(*(it.job(f"document {n}", uid=n % 5) for n in range(first, first + 500)))
            calls = await it.pools.asked(2)
            assert it.service.counts().queued == many - 4
            for first in range(0, many, 500):
                await asyncio.gather(*(it.service.cancel(job.id, None) for job in jobs[first : first + 500]))
            while it.pools.running:
                await asyncio.sleep(0)
            assert all(call.cancelled for call in calls)
            counts = it.service.counts()
            assert (counts.queued, counts.running, counts.cancelled) == (0, 0, many)
            assert counts.oldest_queued_s is None
            assert it.store.totals().jobs[JobState.CANCELLED] == many
            # And the service goes on.
            it.pools.behaviour = Call.done
            (job,) = await it.ended(await it.job("another"))
            assert job.state is JobState.SUCCEEDED

    run(body(), 110)


def test_a_fault_of_the_loop_itself_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        async with scene(tmp_path) as it:
            await it.ended(await it.job("first"))
            ready, faults = it.store.ready, [1, 2]

            async def faulty(now: float, per_line: int) -> object:
                if faults:
                    faults.pop()
                    raise RuntimeError("a fault")
                return await ready(now, per_line)

            monkeypatch.setattr(it.store, "ready", faulty)
            (job,) = await it.ended(await it.job("second"))
            assert job.state is JobState.SUCCEEDED
            assert faults == []

    run(body())


def test_a_lease_that_fails_halfway_leaves_no_job_running_that_nobody_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with scene(tmp_path, start=False) as it:
            lease = it.store.lease

            async def faulty(ids: list[str]) -> object:
                monkeypatch.setattr(it.store, "lease", lease)
                for each in await lease(ids):
                    os.close(each.document_fd)
                raise OSError(24, "Too many open files")

            monkeypatch.setattr(it.store, "lease", faulty)
            job = await it.job("hello")
            it.service.start()
            (job,) = await it.ended(job)
            assert job.state is JobState.SUCCEEDED
            assert job.attempts == 1

    run(body())
