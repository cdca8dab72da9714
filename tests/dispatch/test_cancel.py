"""Cancelling."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from ndfd.dispatch.loop import Loop
from ndfd.errors import JobStateConflict, JobUnknown
from ndfd.model.job_states import JobState
from ndfd.store import Leased
from tests.dispatch.fake_pools import Call
from tests.dispatch.scene import run, scene, settle


def test_a_running_job_ends_its_conversion_and_the_next_begins(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            job, following = await it.job("first"), await it.job("second")
            call = await it.pools.called(1)
            it.pools.behaviour = Call.done
            cancelled = await it.service.cancel(job.id, 7)
            assert cancelled.state is JobState.CANCELLED
            await settle()
            assert call.cancelled
            assert (await it.ended(following))[0].state is JobState.SUCCEEDED
            assert it.service.counts().cancelled == 1

    run(body())


def test_a_job_that_waits_is_never_begun(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            jobs = [await it.job(f"document {number}") for number in range(5)]
            call = await it.pools.called(1)
            # One is leased ahead and waits for its place, the others are in the queue.
            for job in jobs[1:]:
                await it.service.cancel(job.id, 7)
            it.pools.behaviour = Call.done
            call.done()
            ended = await it.ended(*jobs)
            assert [job.state for job in ended] == [JobState.SUCCEEDED] + [JobState.CANCELLED] * 4
            assert len(it.pools.calls) == 1

    run(body())


def test_cancelling_again_is_the_same_and_counts_once(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            job = await it.job("hello")
            await it.pools.called(1)
            answers = await asyncio.gather(*(it.service.cancel(job.id, 7) for _ in range(5)))
            assert {answer.version for answer in answers} == {answers[0].version}
            await asyncio.sleep(0.01)
            await it.service.cancel(job.id, 7)
            assert it.service.counts().cancelled == 1

    run(body())


def test_what_has_ended_otherwise_and_what_is_not_ones_own_is_not_cancelled(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path) as it:
            (job,) = await it.ended(await it.job("hello", uid=7))
            with pytest.raises(JobStateConflict):
                await it.service.cancel(job.id, 7)
            with pytest.raises(JobUnknown):
                await it.service.cancel(job.id, 8)
            assert it.service.counts().cancelled == 0

    run(body())


@pytest.mark.parametrize("cancel_first", [True, False])
def test_when_the_end_and_the_cancellation_meet_exactly_one_wins(tmp_path: Path, cancel_first: bool) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            for number in range(20):
                job = await it.job(f"document {number}")
                call = await it.pools.called(number + 1)

                async def end(call: Call = call) -> None:
                    call.done()

                meeting = [it.service.cancel(job.id, 7), end()]
                answers = await asyncio.gather(*(meeting if cancel_first else meeting[::-1]), return_exceptions=True)
                (ended,) = await it.ended(job)
                refused = any(isinstance(answer, JobStateConflict) for answer in answers)
                assert ended.state is (JobState.SUCCEEDED if refused else JobState.CANCELLED)
                changes = [change.event for change in await it.service.history(job.id, 7)]
                assert changes.count("succeeded") + changes.count("cancelled") == 1

    run(body())


def test_a_job_cancelled_while_its_lease_is_on_its_way_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with scene(tmp_path, start=False) as it:
            job = await it.job("hello")
            lease = it.store.lease

            async def slow(ids: list[str]) -> object:
                leased = await lease(ids)
                await it.service.cancel(job.id, 7)
                return leased

            monkeypatch.setattr(it.store, "lease", slow)
            it.service.start()
            assert (await it.ended(job))[0].state is JobState.CANCELLED
            await settle()
            assert it.pools.calls == []

    run(body())


def test_a_job_cancelled_in_the_moment_in_which_it_begins_gets_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            begin = Loop._begin

            def cancelled_at_once(self: Loop, leased: Leased) -> None:
                begin(self, leased)
                # As the store tells of it: before any task that was made just now has had its turn.
                self.changed(msgspec.structs.replace(leased.job, state=JobState.CANCELLED))

            monkeypatch.setattr(Loop, "_begin", cancelled_at_once)
            await it.job("hello")
            while it.store.totals().running == 0:
                await asyncio.sleep(0)
            await it.store.get(it.told[0].id, None)
            await settle()
            assert it.pools.calls == []

    run(body())


def test_a_job_cancelled_and_set_going_again_while_its_lease_is_on_its_way_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with scene(tmp_path, start=False) as it:
            job = await it.job("hello")
            lease = it.store.lease

            async def late(ids: list[str]) -> object:
                await it.service.cancel(job.id, 7)
                await it.service.retry(job.id, 7)
                return await lease(ids)

            monkeypatch.setattr(it.store, "lease", late)
            it.service.start()
            while it.store.totals().jobs[JobState.SUCCEEDED] == 0:
                await asyncio.sleep(0.001)

    run(body(), limit_s=10)


def test_a_cancelled_job_can_run_after_all(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            job = await it.job("hello")
            await it.pools.called(1)
            await it.service.cancel(job.id, 7)
            it.pools.behaviour = Call.done
            await it.service.retry(job.id, 7)
            (job,) = await it.ended(job)
            assert job.state is JobState.SUCCEEDED
            assert await it.result(job) == "HELLO"

    run(body())
