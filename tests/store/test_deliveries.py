"""Whoever is to be told of a job's end is told, once it has ended, until it was done or given up."""

from __future__ import annotations

from pathlib import Path

from ndfd.model.job_states import JobEvent, JobState
from ndfd.model.jobs import JobFault
from ndfd.store import Ending, Keep, TakenFile
from tests.store.opened import ALICE, lease, opened, run, submit, succeed

FAULT = JobFault("worker-crashed", "it crashed", "try again", retryable=True)


def test_the_end_of_a_job_is_to_be_told_until_it_was(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store, hooks=("a", "b"))).job
            assert await store.due_deliveries(store.now(), 10) == ()
            await succeed(store, job)
            due = await store.due_deliveries(store.now(), 10)
            assert {(delivery.target, delivery.job.state) for delivery in due} == {
                ("a", JobState.SUCCEEDED),
                ("b", JobState.SUCCEEDED),
            }
            assert (await store.get(job.id, None)).deliveries_due == 2
            first, second = due
            await store.delivered(first.id)
            await store.delivered(first.id)
            later = store.now() + 100
            await store.delivery_failed(second.id, "HTTP 500", later)
            assert await store.due_deliveries(store.now(), 10) == ()
            (again,) = await store.due_deliveries(later, 10)
            assert (again.id, again.attempts) == (second.id, 1)
            assert await store.expire(Keep(count=0)) == 0  # Somebody is still to be told.
            await store.delivery_failed(second.id, "HTTP 500", None)
            now = await store.get(job.id, None)
            assert (now.deliveries_due, now.deliveries_failed) == (0, 1)
            events = [change.event for change in await store.history(job.id, None)]
            assert events[-2:] == ["delivered", "delivery_given_up"]
            assert await store.expire(Keep(count=0)) == 1

    run(body())


def test_they_are_there_in_the_next_life(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store, hooks=("a",))).job
            await store.cancel(job.id, None)
            due = await store.due_deliveries(store.now(), 10)
        async with opened(tmp_path) as store:
            assert await store.due_deliveries(store.now(), 10) == due

    run(body())


def test_a_job_that_runs_again_tells_of_its_new_end_only(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store, hooks=("a",))).job
            (leased,) = await lease(store, job.id)
            await store.end(leased.job, Ending(JobEvent.FAILED, FAULT))
            (old,) = await store.due_deliveries(store.now(), 10)
            await store.retry(job.id, ALICE)
            assert await store.due_deliveries(store.now(), 10) == ()
            assert (await store.get(job.id, None)).deliveries_due == 0
            await store.delivered(old.id)
            await succeed(store, job)
            (new,) = await store.due_deliveries(store.now(), 10)
            assert new.id != old.id

    run(body())


def test_each_watched_file_has_its_own_answer_also_where_the_job_is_one(tmp_path: Path) -> None:
    def taken(path: str) -> TakenFile:
        return TakenFile("in", path, "1:2:3:4")

    async def body() -> None:
        async with opened(tmp_path) as store:
            first = await submit(store, hooks=("watch:in",), taken=taken("a.pdf"))
            await submit(store, hooks=("watch:in",), taken=taken("sub/a.pdf"))
            assert await store.taken_files("in") == {"a.pdf": "1:2:3:4", "sub/a.pdf": "1:2:3:4"}
            await succeed(store, first.job)
            late = await submit(store, hooks=("watch:in",), taken=taken("late/a.pdf"))
            assert late.reused
            due = await store.due_deliveries(store.now(), 10)
            assert sorted(delivery.source.path for delivery in due if delivery.source) == [
                "a.pdf",
                "late/a.pdf",
                "sub/a.pdf",
            ]
            await store.drop_taken("in", ["a.pdf", "never.pdf"])
            assert set(await store.taken_files("in")) == {"sub/a.pdf", "late/a.pdf"}
            assert await store.taken_files("other") == {}

    run(body())
