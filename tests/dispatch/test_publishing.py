"""Results while the store cannot take them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ndfd.dispatch import outcomes
from ndfd.errors import DamagedDocument, StorageFull, StoreError
from ndfd.model.job_states import JobState
from tests.dispatch.fake_pools import Call
from tests.dispatch.scene import Scene, open_descriptors, run, scene


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "RETRY_FIRST_S", 0.005)
    monkeypatch.setattr(outcomes, "RETRY_LAST_S", 0.02)


class Refusal:
    """The store refuses a call, as one does whose disk fails, while `error` is set."""

    def __init__(self, it: Scene, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> None:
        self.error: Exception | None = error
        self.refused = 0
        real: Callable[..., Any] = getattr(it.store, name)

        async def call(*arguments: Any) -> Any:
            if self.error is not None:
                self.refused += 1
                raise self.error
            return await real(*arguments)

        monkeypatch.setattr(it.store, name, call)


def test_a_result_waits_in_memory_until_the_store_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        async with scene(tmp_path) as it:
            refusal = Refusal(it, monkeypatch, "succeed", StoreError("input/output error"))
            job = await it.job("hello")
            while refusal.refused < 5:
                await asyncio.sleep(0.001)
            assert it.service.counts().results_held == 1
            assert (await it.service.get(job.id, 7)).state is JobState.RUNNING
            refusal.error = None
            (job,) = await it.ended(job)
            assert await it.result(job) == "HELLO"
            assert len(it.pools.calls) == 1
            assert it.service.counts().results_held_bytes == 0

    run(body())


def test_while_the_store_takes_nothing_no_worker_works_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with scene(tmp_path, workers=2) as it:
            refusal = Refusal(it, monkeypatch, "succeed", StoreError("input/output error"))
            jobs = [await it.job(f"document {number}") for number in range(20)]
            while refusal.refused < 30:
                await asyncio.sleep(0.001)
            # Those leased before it was known, and no more.
            assert len(it.pools.calls) <= 4
            refusal.error = None
            assert {job.state for job in await it.ended(*jobs)} == {JobState.SUCCEEDED}
            assert len(it.pools.calls) == 20

    run(body())


def test_a_full_disk_holds_up_others_only_when_much_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        monkeypatch.setattr(outcomes, "HELD_MAX_BYTES", 100)
        async with scene(tmp_path, workers=1) as it:
            refusal = Refusal(it, monkeypatch, "succeed", StorageFull("the disk is full"))
            jobs = [await it.job(f"a document of thirty characters {number}") for number in range(20)]
            while refusal.refused < 60:
                await asyncio.sleep(0.001)
            assert 4 <= it.service.counts().results_held <= 6
            refusal.error = None
            assert {job.state for job in await it.ended(*jobs)} == {JobState.SUCCEEDED}

    run(body())


def test_a_result_too_large_to_be_held_is_made_anew_later_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        monkeypatch.setattr(outcomes, "HELD_MAX_BYTES", 10)
        monkeypatch.setattr(outcomes, "_TOO_LARGE_DELAY_S", 0.05)
        async with scene(tmp_path) as it:
            refusal = Refusal(it, monkeypatch, "succeed", StorageFull("the disk is full"))
            job = await it.until(await it.job("a large document"), lambda job: job.fault is not None)
            assert job.state is JobState.QUEUED
            assert job.fault is not None
            assert job.fault.code == "storage-full"
            refusal.error = None
            (job,) = await it.ended(job)
            assert (job.state, job.attempts) == (JobState.SUCCEEDED, 1)

    run(body())


def test_a_failure_is_written_down_as_patiently_as_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        async with scene(tmp_path, behaviour=lambda call: call.fail(DamagedDocument("no"))) as it:
            refusal = Refusal(it, monkeypatch, "end", StoreError("input/output error"))
            job = await it.job("hello")
            while refusal.refused < 5:
                await asyncio.sleep(0.001)
            refusal.error = None
            assert (await it.ended(job))[0].state is JobState.FAILED
            assert len(it.pools.calls) == 1

    run(body())


def test_a_job_cancelled_while_its_result_is_held_stays_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with scene(tmp_path) as it:
            refusal = Refusal(it, monkeypatch, "succeed", StoreError("input/output error"))
            job = await it.job("hello")
            while not refusal.refused:
                await asyncio.sleep(0.001)
            await it.service.cancel(job.id, 7)
            refusal.error = None
            while it.service.counts().results_held:
                await asyncio.sleep(0.001)
            (job,) = await it.ended(job)
            assert job.state is JobState.CANCELLED
            assert it.service.counts().succeeded == 0

    run(body())


def test_a_result_that_cannot_be_written_when_the_daemon_stops_is_made_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        monkeypatch.setattr("ndfd.dispatch.loop._WRITE_S", 0.05)
        async with scene(tmp_path) as it:
            refusal = Refusal(it, monkeypatch, "succeed", StoreError("input/output error"))
            job = await it.job("hello")
            while not refusal.refused:
                await asyncio.sleep(0.001)
        async with scene(tmp_path) as it:
            assert it.store.recovered == 1
            (job,) = await it.ended(job)
            assert (job.state, job.attempts, job.interruptions) == (JobState.SUCCEEDED, 1, 0)

    run(body())


def test_nothing_is_left_open_of_what_is_published(tmp_path: Path) -> None:
    async def body() -> None:
        async with scene(tmp_path, workers=2, behaviour=Call.done) as it:
            await it.ended(await it.job("first"))
            before = open_descriptors()
            await it.ended(*[await it.job(f"document {number}") for number in range(50)])
            # The store lets go of its own ones a moment after its answer: some may be there now as then.
            while open_descriptors() >= before + 50:
                await asyncio.sleep(0.001)

    run(body())
