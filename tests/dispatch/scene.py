"""A job service over a real store, and pools that the test decides about."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ndfd import platform
from ndfd.admission import JobLimits
from ndfd.dispatch import JobService, Policy
from ndfd.model.conversion import ConvertOptions
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobOptions, Submission
from ndfd.model.pools import DEFAULT_POOL
from ndfd.store import Store
from tests.dispatch.fake_pools import Call, FakePools

LIMITS = JobLimits(10**9, 10**6, 10**12, 10**6, 10**12)
ENGINE = "0.1.0 fake 1 python"


def policy(workers: int | Mapping[str, int] = 1, **changes: Any) -> Policy:
    """The default pool, or those that are named, and short delays."""
    pools = workers if isinstance(workers, Mapping) else {DEFAULT_POOL: workers}
    return replace(Policy(pools, LIMITS, retry_delay_s=0.02), **changes)


@dataclass
class Scene:
    """What a test sees."""

    store: Store
    service: JobService
    pools: FakePools
    #: Every job as the store told of it.
    told: list[Job] = field(default_factory=list)

    async def submit(
        self, text: str, *, uid: int = 7, pool: str | None = None, deadline_s: float | None = None, **options: Any
    ) -> Submission:
        """A document of this text."""
        fd = platform.sealed_memfd("document", text.encode())
        try:
            convert = ConvertOptions(pool=pool, deadline_s=deadline_s)
            return await self.service.submit(fd, JobOptions(convert, **options), uid=uid)
        finally:
            os.close(fd)

    async def job(self, text: str, **options: Any) -> Job:
        """A job for a document of this text."""
        return (await self.submit(text, **options)).job

    async def ended(self, *jobs: Job | str) -> list[Job]:
        """Returns when all of them have ended."""
        ids = tuple(job if isinstance(job, str) else job.id for job in jobs)
        last: dict[str, Job] = {}
        async for job in self.service.watch(ids, None):
            last[job.id] = job
        return [last[each] for each in ids]

    async def until(self, job: Job, reached: Callable[[Job], bool]) -> Job:
        """Returns when the job is so."""
        changes = self.service.watch((job.id,), None)
        async for seen in changes:
            if reached(seen):
                await changes.aclose()  # type: ignore[attr-defined]
                return seen
        raise AssertionError("it ended without")

    async def result(self, job: Job) -> str:
        """Its result."""
        found = await self.service.result(job.id, None)
        try:
            return os.pread(found.fd, 10**6, 0).decode()
        finally:
            os.close(found.fd)


@contextlib.asynccontextmanager
async def scene(
    folder: Path,
    workers: int = 1,
    *,
    behaviour: Callable[[Call], None] | None = Call.done,
    pools: FakePools | None = None,
    rules: Policy | None = None,
    start: bool = True,
    grace_s: float = 0.0,
    keep_free_bytes: int = 0,
) -> AsyncIterator[Scene]:
    """A service that runs, until the end of the block; no descriptor is left of it."""
    descriptors = open_descriptors()
    store = Store.open(folder / "state", keep_free_bytes=keep_free_bytes)
    await store.start()
    pools = pools or FakePools(behaviour=behaviour)
    service = JobService(store, lambda: pools, rules or policy(workers), lambda: ENGINE)
    made = Scene(store, service, pools)
    store.on_change(made.told.append)
    if start:
        service.start()
    try:
        yield made
    finally:
        await service.stop(grace_s)
        await store.close()
    assert open_descriptors() == descriptors


def open_descriptors() -> int:
    """Of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def run(test: Coroutine[Any, Any, None], limit_s: float = 60.0) -> None:
    """Runs a test's body in an event loop of its own; a fault that only the loop heard of fails the test."""
    faults: list[dict[str, Any]] = []

    async def body() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
        async with asyncio.timeout(limit_s):
            await test

    asyncio.run(body())
    assert faults == [], faults


async def settle() -> None:
    """Lets everything happen that needs no time."""
    for _ in range(20):
        await asyncio.sleep(0)


def states(jobs: list[Job]) -> list[JobState]:
    """Of each."""
    return [job.state for job in jobs]
