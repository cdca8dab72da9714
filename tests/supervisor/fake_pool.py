"""A pool without processes and without waiting."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from ndfd import platform
from ndfd.model.conversion import ConversionReport, ConvertOptions, OnPage, PageReport
from ndfd.model.document import PageStatus
from ndfd.platform import Pressure
from ndfd.protocol.frames import JobDone, JobFailed, JobPage
from ndfd.supervisor import Pool, PoolLimits, Result
from ndfd.testing import FakeClock, FakeSpawner, FakeWorker


@dataclass
class Scene:
    """The pool, the world around it, and the callers."""

    pool: Pool
    spawner: FakeSpawner
    clock: FakeClock
    document_fd: int
    calls: list[asyncio.Task[Result]] = field(default_factory=list)

    async def ask(
        self, *, uid: int = 7, deadline_s: float = 60.0, name: str | None = None, on_page: OnPage | None = None
    ) -> asyncio.Task[Result]:
        """A caller asks for a conversion; returns when the pool has heard it."""
        options = ConvertOptions(deadline_s=deadline_s, name=name)
        call = asyncio.create_task(self.pool.convert(self.document_fd, options, uid=uid, on_page=on_page))
        self.calls.append(call)
        await settle()
        return call

    @property
    def worker(self) -> FakeWorker:
        """The only worker that is alive."""
        (worker,) = self.spawner.alive
        return worker


@contextlib.asynccontextmanager
async def scene(
    workers: int = 1,
    *,
    jobs_per_worker: int = 100,
    workers_max: int | None = None,
    pressure: Callable[[], Pressure | None] = lambda: None,
    clock: FakeClock | None = None,
) -> AsyncIterator[Scene]:
    """A pool that runs, until the end of the block; of fixed size unless `workers_max` is given."""
    limits = PoolLimits(workers, workers_max or workers, jobs_per_worker, rss_max_bytes=50_000_000)
    spawner, clock = FakeSpawner(), clock or FakeClock()
    pool = Pool(spawner, limits, clock, pressure=pressure)
    await pool.start()
    document_fd = platform.sealed_memfd("document", b"%PDF")
    made = Scene(pool, spawner, clock, document_fd)
    try:
        yield made
    finally:
        await pool.stop()
        for result in await asyncio.gather(*made.calls, return_exceptions=True):
            if isinstance(result, Result):
                os.close(result.fd)
        os.close(document_fd)


def run(test: Coroutine[Any, Any, None]) -> None:
    """Runs a test's body in an event loop of its own; a fault that only the loop heard of fails the test."""
    faults: list[dict[str, Any]] = []

    async def body() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
        await test

    asyncio.run(body())
    assert faults == [], faults


async def settle() -> None:
    """Lets everything happen that needs no time."""
    for _ in range(20):
        await asyncio.sleep(0)


async def passing(it: Scene, seconds: float) -> None:
    """Time passes, and everything happens in it that it brings."""
    until = it.clock.time() + seconds
    while it.clock.time() < until:
        it.clock.advance(min(0.01, until - it.clock.time()))
        await settle()


def page(worker: FakeWorker, number: int, total: int) -> None:
    """The worker finishes a page."""
    worker.say(JobPage(worker.jobs[-1].id, PageReport(number, total, PageStatus.OK)))


def done(worker: FakeWorker, content: bytes = b"text", pages: int = 1) -> None:
    """The worker finishes."""
    fd = platform.sealed_memfd("result", content)
    report = ConversionReport(pages, 0, 0, "text/markdown; charset=utf-8", len(content), 0.1, 1000)
    worker.say(JobDone(worker.jobs[-1].id, report), fd)
    os.close(fd)


def failed(worker: FakeWorker, code: str) -> None:
    """The worker gives up."""
    worker.say(JobFailed(worker.jobs[-1].id, code, f"it is {code}", "mend it", 2))
