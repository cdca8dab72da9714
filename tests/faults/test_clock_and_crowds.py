"""A clock that is set, and very many jobs at once."""

from __future__ import annotations

import asyncio
import functools
import resource
import time
from pathlib import Path

import pytest

from ndfd.errors import StorageFull
from ndfd.model.job_states import JobEvent, JobState
from ndfd.model.jobs import Job, JobFault, JobOptions, JobQuery
from ndfd.store import Ending, Keep, Store
from ndfd.store import store as store_module
from ndfd.store.clock import Clock
from tests.store.work import document_of, finished, spooled, started, submitted, whole

DAY_S = 86_400.0


class WallClock:
    """The machine's, as somebody sets it."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    clock = WallClock()
    monkeypatch.setattr(store_module, "Clock", functools.partial(Clock, wall=clock))
    return clock


def failed() -> JobFault:
    return JobFault.of(StorageFull("not yet"))


def test_a_clock_that_is_set_back_a_day_changes_nothing(tmp_path: Path, wall: WallClock) -> None:
    async def scenario() -> None:
        state = tmp_path / "state"
        async with started(state) as store:
            first = await submitted(store, b"first")
            postponed = await submitted(store, b"postponed")
            (leased,) = await store.lease([postponed.id])
            whole(leased.document_fd)
            assert await store.end(leased.job, Ending(JobEvent.POSTPONED, failed(), store.now() + 60))
            before = store.now()
            wall.ahead_s = -DAY_S
            assert store.now() >= before
            second = await submitted(store, b"second")
            assert second.accepted_at >= first.accepted_at
            assert second.id > postponed.id > first.id
        # And while no daemon ran.
        wall.ahead_s = -2 * DAY_S
        async with started(state) as store:
            assert store.now() >= second.accepted_at
            third = await submitted(store, b"third")
            assert third.id > second.id
            assert [job.id for job in (await store.list(JobQuery(), None)).jobs] == [
                third.id,
                second.id,
                postponed.id,
                first.id,
            ]
            # Who came first is first; who waits for a moment waits no longer than was said.
            assert [ready.id for ready in await store.ready(store.now(), 10)] == [first.id, second.id, third.id]
            due = await store.next_due()
            assert due is not None
            assert 0 < due - store.now() <= 60
            assert postponed.id in [ready.id for ready in await store.ready(due, 10)]
            # Nothing that has just ended is a day old, or from tomorrow.
            done = await finished(store, first, b"result")
            assert done.finished_at is not None
            assert done.finished_at >= done.accepted_at
            assert await store.expire(Keep(age_s=30)) == 0
            history = [change.at for change in await store.history(postponed.id, None)]
            assert history == sorted(history)

    asyncio.run(scenario())


def test_a_clock_that_is_set_forward_and_back_again_ends_no_wait_for_ever(tmp_path: Path, wall: WallClock) -> None:
    async def scenario() -> None:
        state = tmp_path / "state"
        wall.ahead_s = DAY_S
        async with started(state) as store:
            job = await submitted(store, b"tomorrow")
            assert job.accepted_at > time.time() + DAY_S / 2
        wall.ahead_s = 0.0
        async with started(state) as store:
            # The store's day is tomorrow: it goes on from there, at its pace.
            (leased,) = await store.lease([job.id])
            whole(leased.document_fd)
            await store.end(leased.job, Ending(JobEvent.POSTPONED, failed(), store.now() + 0.05))
            due = await store.next_due()
            assert due is None or due - store.now() < 1
            while not await store.ready(store.now(), 10):
                await asyncio.sleep(0.01)
            assert await document_of(store, job) == b"tomorrow"

    asyncio.run(scenario())


async def crowded(store: Store, count: int) -> list[Job]:
    jobs: list[Job] = []
    for start in range(0, count, 500):
        numbers = range(start, min(count, start + 500))
        crowd = (
            submitted(store, b"%d" % number, number % 7, JobOptions(labels={"n": str(number)})) for number in numbers
        )
        jobs += await asyncio.gather(*crowd)
    return jobs


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_jobs_are_queued_and_cancelled_and_nothing_is_left(tmp_path: Path, count: int) -> None:
    async def scenario() -> None:
        state = tmp_path / "state"
        changed: dict[str, JobState] = {}
        async with started(state) as store:
            store.on_change(lambda job: changed.update({job.id: job.state}))
            jobs = await crowded(store, count)
            assert store.load(0).jobs == count
            assert len({job.id for job in jobs}) == count
            # Some are under way, all are cancelled, twice, and nothing is run any more.
            running = await store.lease([job.id for job in jobs[:50]])
            for leased in running:
                assert whole(leased.document_fd)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for _again in range(2):
                states = await asyncio.gather(*(store.cancel(job.id, None) for job in jobs))
                assert {job.state for job in states} == {JobState.CANCELLED}
            assert await store.ready(store.now() + DAY_S, 10) == ()
            for leased in running:
                assert not await store.end(leased.job, Ending(JobEvent.FAILED, failed()))
            assert store.load(0).jobs == store.load(0).bytes == 0
            assert set(changed) == {job.id for job in jobs}
            assert set(changed.values()) == {JobState.CANCELLED}
            # In KB: a few hundred bytes each, for answers that are held here.
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000 + 10 * count
            assert await store.expire(Keep(count=0)) == count
            assert (await store.list(JobQuery(), None)).jobs == ()
        async with started(state) as store:
            assert store.recovered == 0
            assert store.totals().jobs[JobState.CANCELLED] == 0
        assert spooled(state) == []

    asyncio.run(scenario())
