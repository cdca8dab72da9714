"""Watching jobs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ndfd.errors import JobUnknown, ShuttingDown
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job
from tests.dispatch.fake_pools import Call
from tests.dispatch.scene import run, scene, settle, states


def test_every_state_and_page_is_seen_until_the_end(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            job = await it.job("hello")
            seen: list[Job] = []

            async def watch() -> None:
                async for each in it.service.watch((job.id,), 7):
                    seen.append(each)  # noqa: PERF401 - one by one, for they are looked at meanwhile

            watching = asyncio.create_task(watch())
            call = await it.pools.called(1)
            for number in range(1, 4):
                call.page(number, 3)
                while not seen or seen[-1].pages_done != number:
                    await asyncio.sleep(0)
            call.done()
            await watching
            assert seen[-1].state is JobState.SUCCEEDED
            assert [each.pages_done for each in seen if each.pages] == [1, 2, 3]
            assert [each.version for each in seen] == sorted(each.version for each in seen)

    run(body())


def test_several_jobs_are_watched_to_their_last_end(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path) as it:
            jobs = [await it.job(f"document {number}") for number in range(5)]
            assert states(await it.ended(*jobs, jobs[0])) == [JobState.SUCCEEDED] * 6

    run(body())


def test_a_job_that_has_ended_is_told_once(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path) as it:
            (job,) = await it.ended(await it.job("hello"))
            assert [each.state async for each in it.service.watch((job.id,), 7)] == [JobState.SUCCEEDED]
            # By the beginning of its id as well.
            assert [each.id async for each in it.service.watch((job.id[:20],), 7)] == [job.id]

    run(body())


def test_an_unknown_job_is_said_before_anything_else(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path) as it:
            job = await it.job("hello", uid=7)
            for ids, uid in (((job.id, "0" * 26), 7), ((job.id,), 8)):
                with pytest.raises(JobUnknown):
                    await anext(aiter(it.service.watch(ids, uid)))

    run(body())


def test_whoever_is_slow_misses_pages_and_never_the_end(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            job = await it.job("hello")
            changes = aiter(it.service.watch((job.id,), 7))
            await anext(changes)
            call = await it.pools.called(1)
            for number in range(1, 501):
                call.page(number, 500)
                await asyncio.sleep(0)
            call.done()
            while not (await it.service.get(job.id, 7)).state.is_final:
                await asyncio.sleep(0)
            rest = [each async for each in changes]
            assert len(rest) == 1
            assert rest[0].state is JobState.SUCCEEDED

    run(body())


def test_of_a_watched_job_that_is_forgotten_the_end_is_told_and_nothing_more(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            job = await it.job("hello")
            changes = aiter(it.service.watch((job.id,), 7))
            await anext(changes)
            await it.service.cancel(job.id, 7)
            await it.service.forget(job.id, 7)
            assert [each.state async for each in changes] == [JobState.CANCELLED]

    run(body())


def test_a_thousand_watchers_all_hear_of_the_end_and_leave_nothing_behind(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            job = await it.job("hello")
            watching = [asyncio.create_task(it.ended(job)) for _ in range(1000)]
            call = await it.pools.called(1)
            while len(it.service._audience._watchers.get(job.id, ())) < 1000:
                await asyncio.sleep(0)
            for number in range(1, 201):
                call.page(number, 200)
            it.pools.behaviour = Call.done
            others = await asyncio.gather(*(it.job(f"document {number}") for number in range(50)))
            call.done()
            assert {jobs[0].state for jobs in await asyncio.gather(*watching)} == {JobState.SUCCEEDED}
            await it.ended(*others)
            assert not it.service._audience._watchers

    run(body())


def test_pages_are_told_to_a_thousand_watchers_no_more_often_than_the_loop_can_bear(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            job = await it.job("hello")
            told = 0

            async def watch() -> None:
                nonlocal told
                async for _ in it.service.watch((job.id,), 7):
                    told += 1

            watching = [asyncio.create_task(watch()) for _ in range(1000)]
            call = await it.pools.called(1)
            while len(it.service._audience._watchers.get(job.id, ())) < 1000:
                await asyncio.sleep(0)
            await settle()
            for number in range(1, 301):
                call.page(number, 300)
                await asyncio.sleep(0.001)
            call.done()
            await asyncio.gather(*watching)
            # Pages times watchers would be 300,000.
            assert told < 30_000

    run(body())


def test_whoever_watches_when_the_daemon_stops_hears_of_it(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            job = await it.job("hello")
            changes = it.service.watch((job.id,), 7)
            await anext(aiter(changes))
            await it.pools.called(1)
            await it.service.stop(0)
            with pytest.raises(ShuttingDown):
                async for _ in changes:
                    pass

    run(body())


def test_what_is_submitted_while_the_daemon_stops_waits_for_its_next_life(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=None) as it:
            await it.service.stop(0)
            job = (await it.submit("another")).job
            assert (await it.store.get(job.id, None)).state is JobState.QUEUED
            assert not it.pools.calls

    run(body())
