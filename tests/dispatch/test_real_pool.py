"""The loop with the real pool: real workers, which are really ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from ndfd.dispatch import JobService
from ndfd.model.job_states import JobState
from ndfd.model.pools import DEFAULT_POOL
from ndfd.store import Store
from ndfd.supervisor import Pool, Sharding
from tests.dispatch.scene import ENGINE, Scene, policy, run
from tests.supervisor.processes import running


class RealPools:
    """One pool, as the daemon gives it out."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    @contextlib.contextmanager
    def held(self, name: str | None) -> Iterator[Sharding]:
        """Whatever its name."""
        yield Sharding(self.pool, 2, None)


@contextlib.asynccontextmanager
async def real(folder: Path, workers: int = 2) -> AsyncIterator[tuple[Scene, Pool]]:
    """A service over a store and a pool that are both real."""
    async with running(workers) as it:
        store = Store.open(folder / "state", keep_free_bytes=0)
        await store.start()
        pools = RealPools(it.pool)
        service = JobService(store, lambda: pools, policy({DEFAULT_POOL: workers}), lambda: ENGINE)
        service.start()
        try:
            yield Scene(store, service, pools), it.pool  # type: ignore[arg-type]
        finally:
            await service.stop(0.0)
            await store.close()


def busy(pool: Pool) -> list[int]:
    """Processes of the workers that have a document."""
    return [worker.pid for worker in pool.snapshot().workers if worker.busy_s is not None]


def test_jobs_are_converted_by_real_workers(tmp_path: Path) -> None:
    async def body() -> None:
        async with real(tmp_path) as (it, _):
            jobs = [await it.job(f"echo text {number}") for number in range(20)]
            for number, job in enumerate(await it.ended(*jobs)):
                assert job.state is JobState.SUCCEEDED
                assert await it.result(job) == f"text {number}"
                assert job.report is not None
                assert job.report.sandbox is not None

    run(body())


def test_a_document_that_kills_its_workers_is_quarantined_and_the_others_are_not_concerned(tmp_path: Path) -> None:
    async def body() -> None:
        async with real(tmp_path) as (it, _):
            jobs = [await it.job(text) for text in ("echo 1", "die 11", "echo 2", "fail document-damaged", "echo 3")]
            ended = await it.ended(*jobs)
            assert [job.state for job in ended] == [
                JobState.SUCCEEDED,
                JobState.QUARANTINED,
                JobState.SUCCEEDED,
                JobState.FAILED,
                JobState.SUCCEEDED,
            ]
            assert ended[1].fault is not None
            assert ended[1].fault.code == "document-kills-workers"

    run(body())


def test_cancelling_ends_the_process_that_is_at_it_and_its_cpu_is_free(tmp_path: Path) -> None:
    async def body() -> None:
        async with real(tmp_path, workers=1) as (it, pool):
            job = await it.job("burn 60", deadline_s=60.0)
            while not busy(pool):
                await asyncio.sleep(0.01)
            (pid,) = busy(pool)
            ends = os.pidfd_open(pid)
            ended = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().add_reader(ends, lambda: ended.done() or ended.set_result(None))
            begun = time.monotonic()
            await it.service.cancel(job.id, 7)
            await asyncio.wait_for(ended, 10)
            took_s = time.monotonic() - begun
            asyncio.get_running_loop().remove_reader(ends)
            os.close(ends)
            # Some 20 ms by themselves, and 500 ms at most are promised; ten times that, for a machine that is busy.
            assert took_s < 10 * 0.5
            print(f"cancelled in {took_s * 1000:.1f} ms")
            (following,) = await it.ended(await it.job("echo free again"))
            assert following.state is JobState.SUCCEEDED

    run(body())


def test_stopping_ends_what_runs_and_the_next_life_takes_it_up(tmp_path: Path) -> None:
    async def body() -> None:
        async with real(tmp_path, workers=1) as (it, pool):
            job = await it.job("burn 60", deadline_s=60.0)
            waiting = await it.job("echo later")
            while not busy(pool):
                await asyncio.sleep(0.01)
            await it.service.stop(0.05)
            assert not busy(pool)
            found = [await it.service.get(each.id, None) for each in (job, waiting)]
            assert [(each.state, each.attempts) for each in found] == [(JobState.QUEUED, 0)] * 2
            await it.service.cancel(job.id, None)
        async with real(tmp_path, workers=1) as (it, _):
            assert (await it.ended(waiting))[0].state is JobState.SUCCEEDED

    run(body())
