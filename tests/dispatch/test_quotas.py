"""Who is taken on, and who is told to come back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from ndfd.admission.jobs import RETRY_UNKNOWN_S
from ndfd.dispatch.pace import Pace
from ndfd.errors import EmptyDocument, PoolUnknown, QuotaExceeded, StorageFull
from ndfd.model.job_states import JobState
from ndfd.store import Keep
from tests.dispatch.fake_pools import Call
from tests.dispatch.scene import LIMITS, policy, run, scene


def test_submissions_that_come_together_do_not_overshoot_the_quota(tmp_path: Path) -> None:
    async def body() -> None:
        limits = replace(LIMITS, jobs_per_user_max=10)
        async with scene(tmp_path, behaviour=None, rules=policy(admission=limits)) as it:
            answers = await asyncio.gather(*(it.job(f"{n}", uid=1) for n in range(64)), return_exceptions=True)
            assert sum(isinstance(answer, QuotaExceeded) for answer in answers) == 54
            assert it.store.load(1).jobs_of_user == 10
            # Another user is not concerned.
            await it.job("other", uid=2)
            assert it.service.counts().refused == 54
            refused = next(answer for answer in answers if isinstance(answer, QuotaExceeded))
            assert refused.retry_after_s == RETRY_UNKNOWN_S

    run(body())


def test_what_was_accepted_before_is_answered_though_there_is_no_room(tmp_path: Path) -> None:
    async def body() -> None:
        limits = replace(LIMITS, jobs_per_user_max=2)
        async with scene(tmp_path, behaviour=None, rules=policy(admission=limits)) as it:
            first, second = await it.job("first"), await it.job("second", key="a key")
            for text, key, job in (("first", None, first), ("second", "a key", second), ("second", None, second)):
                again = await it.submit(text, key=key)
                assert (again.job.id, again.reused) == (job.id, True)
            # Another user's, other work under the key, and a key that would have to be kept.
            limits_of_all = replace(limits, jobs_max=2)
            it.service.reconfigure(policy(admission=limits_of_all))
            for text, uid, key in (("first", 8, None), ("third", 7, "a key"), ("second", 7, "another")):
                with pytest.raises(QuotaExceeded):
                    await it.submit(text, uid=uid, key=key)
            counts = it.service.counts()
            assert (counts.accepted, counts.reused, counts.refused) == (2, 3, 3)

    run(body())


def test_bytes_that_come_together_do_not_overshoot_either(tmp_path: Path) -> None:
    async def body() -> None:
        limits = replace(LIMITS, bytes_max=1000)
        async with scene(tmp_path, behaviour=None, rules=policy(admission=limits)) as it:
            answers = await asyncio.gather(*(it.job(f"{n:0100}", uid=n) for n in range(64)), return_exceptions=True)
            assert sum(isinstance(answer, QuotaExceeded) for answer in answers) == 54
            assert it.store.load(1).bytes == 1000

    run(body())


def test_there_is_room_again_when_jobs_end(tmp_path: Path) -> None:
    async def body() -> None:
        limits = replace(LIMITS, jobs_max=2)
        async with scene(tmp_path, behaviour=None, rules=policy(admission=limits)) as it:
            jobs = [await it.job("first"), await it.job("second")]
            with pytest.raises(QuotaExceeded):
                await it.job("third")
            (await it.pools.called(1)).done()
            await it.ended(jobs[0])
            await it.job("third")
            with pytest.raises(QuotaExceeded) as refused:
                await it.job("fourth")
            # One was done a moment ago: so much is known of the pace now.
            assert refused.value.retry_after_s == pytest.approx(10.0)
            # A job that its owner wants to run again needs room as a new one does.
            await it.service.cancel(jobs[1].id, None)
            await it.job("fifth")
            with pytest.raises(QuotaExceeded):
                await it.service.retry(jobs[1].id, None)

    run(body())


def test_what_cannot_be_taken_on_at_all_is_said_at_once(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path) as it:
            with pytest.raises(EmptyDocument):
                await it.job("")
            with pytest.raises(PoolUnknown, match="there are default"):
                await it.job("hello", pool="gone")

    run(body())


def test_a_full_disk_refuses_and_what_was_accepted_goes_on(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, start=False) as it:
            job = await it.job("hello")
        async with scene(tmp_path, keep_free_bytes=1 << 60) as it:
            with pytest.raises(StorageFull):
                await it.job("another")
            assert it.service.counts().refused == 1
            assert (await it.submit("hello")).reused
            assert (await it.ended(job))[0].state is JobState.SUCCEEDED

    run(body())


def test_the_pace_is_that_of_late() -> None:
    pace = Pace()
    for second in range(100):
        pace.ended(1, 1000, float(second))
    of = pace.of(1, 100.0)
    assert of.jobs == pytest.approx(1.0, rel=0.1)
    assert of.bytes_of_user == pytest.approx(1000.0, rel=0.1)
    assert pace.of(2, 100.0).jobs_of_user == 0
    assert pace.of(1, 1000.0).jobs == 0


def test_retention_forgets_what_is_beyond_it_at_the_start_and_after_many_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        monkeypatch.setattr("ndfd.dispatch.retention.EVERY_ENDS", 10)
        forgotten = asyncio.Event()
        async with scene(tmp_path) as it:
            await it.ended(*[await it.job(f"document {number}") for number in range(15)])
        async with scene(tmp_path, rules=policy(2, keep=Keep(count=3)), behaviour=Call.done) as it:
            it.store.on_forgotten(lambda job: forgotten.set())
            while it.store.totals().jobs[JobState.SUCCEEDED] > 3:
                forgotten.clear()
                await forgotten.wait()
            for number in range(25):
                await it.job(f"more {number}")
            # Some of them are forgotten before the last has ended.
            while it.store.totals().queued + it.store.totals().running:
                await asyncio.sleep(0)
            while it.store.totals().jobs[JobState.SUCCEEDED] > 3 + 10:
                forgotten.clear()
                await forgotten.wait()

    run(body())
