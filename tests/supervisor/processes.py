"""The pool over real processes, whose engine does as the document says (tests/worker/zygote_double.py)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil

from ndfd import platform
from ndfd.model.conversion import ConvertOptions, OnPage
from ndfd.model.crash import CrashReport
from ndfd.supervisor import Pool, PoolLimits, Zygote, ZygoteOptions

DOUBLE = Path(__file__).parents[1] / "worker" / "zygote_double.py"

MEMORY_BYTES = 1_000_000_000


def options(*words: str, memory_bytes: int = MEMORY_BYTES) -> ZygoteOptions:
    """How the double is started; the words tell it how to fail."""
    return ZygoteOptions(memory_bytes, command=(sys.executable, str(DOUBLE), *words))


class Running:
    """A pool that runs."""

    def __init__(self, pool: Pool, zygote: Zygote, crashes: list[CrashReport]) -> None:
        self.pool = pool
        self.zygote = zygote
        #: What was told of workers that a document ended.
        self.crashes = crashes

    async def convert(self, text: str, *, uid: int = 0, deadline_s: float = 60.0, on_page: OnPage | None = None) -> str:
        """Converts a document of this text."""
        document_fd = platform.sealed_memfd("document", text.encode())
        try:
            asked = ConvertOptions(deadline_s=deadline_s)
            result = await self.pool.convert(document_fd, asked, uid=uid, on_page=on_page)
            try:
                assert os.fstat(result.fd).st_size == result.report.size_bytes
                return os.pread(result.fd, result.report.size_bytes, 0).decode()
            finally:
                os.close(result.fd)
        finally:
            os.close(document_fd)

    async def begin(self, text: str, *, uid: int = 0, deadline_s: float = 60.0) -> asyncio.Task[str]:
        """Begins a conversion; returns when its first page is done, so that a worker is known to be at it."""
        begun = asyncio.Event()
        call = asyncio.create_task(
            self.convert(text, uid=uid, deadline_s=deadline_s, on_page=lambda _page: begun.set())
        )
        waiting = asyncio.create_task(begun.wait())
        await asyncio.wait([call, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return call

    async def busy_again(self, count: int, besides: int) -> None:
        """Returns when so many workers are at a page of a conversion, and the process `besides` is none of them."""
        while True:
            at_work = [worker.pid for worker in self.pool.snapshot().workers if worker.page]
            if len(at_work) == count and besides not in at_work:
                return
            await asyncio.sleep(0)

    def busy_pids(self) -> list[int]:
        """The processes that are at a conversion."""
        return [worker.pid for worker in self.pool.snapshot().workers if worker.busy_s is not None]


@contextlib.asynccontextmanager
async def running(
    workers: int = 2,
    jobs_per_worker: int = 1000,
    zygote_options: ZygoteOptions | None = None,
    cpu_s: float | None = None,
    limits: PoolLimits | None = None,
) -> AsyncIterator[Running]:
    """A pool over real processes. No process of it is left afterwards, and no descriptor."""
    children, descriptors = set(processes()), open_descriptors()
    zygote = Zygote(zygote_options or options())
    crashes: list[CrashReport] = []
    limits = limits or PoolLimits(workers, workers, jobs_per_worker, cpu_s=cpu_s)
    pool = Pool(zygote, limits, on_crash=crashes.append)
    await pool.start()
    started = set(processes()) - children
    try:
        yield Running(pool, zygote, crashes)
    finally:
        started |= set(processes()) - children
        await pool.stop()
    assert not [process for process in started if lives(process)]
    assert open_descriptors() == descriptors


def processes() -> list[psutil.Process]:
    """All that descend from this one."""
    return psutil.Process().children(recursive=True)


def lives(process: psutil.Process) -> bool:
    """A zombie does not: an orphan stays one until pid 1 gets round to it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def open_descriptors() -> int:
    """Of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
