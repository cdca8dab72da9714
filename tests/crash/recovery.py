"""How long a store takes to open after a power cut, by how much it holds."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ndfd.model.conversion import ConversionReport, ConvertOptions
from ndfd.model.jobs import JobOptions
from ndfd.store import Leased, NewJob, Store
from tests.crash.disk import LosableDisk
from tests.crash.store_life import memory_file
from tests.crash.store_lives import Say

#: A small document's row and files; both of every job that has a result.
_BYTES_PER_JOB = 13_000
#: Of the jobs: so many have ended, and so many are running when the power goes; the others wait.
_ENDED, _RUNNING = 0.2, 0.01
_AT_ONCE = 256


class Recovery(NamedTuple):
    """One opening."""

    jobs: int
    #: Seconds until the store could take jobs again, with nothing of it in the page cache.
    open_s: float
    #: Jobs put back into the queue.
    interrupted: int

    def as_json(self) -> dict[str, Any]:
        return self._asdict()


def measure(kind: str, jobs: int, say: Say) -> Recovery:
    """A store with so many jobs, each with a document of its own, after a power cut."""
    with LosableDisk(kind, size_mb=600 + jobs * _BYTES_PER_JOB // 1_000_000, inodes=20_000 + 2 * jobs) as disk:
        folder = disk.path / "state"
        said, told = os.pipe()
        child = os.fork()
        if child == 0:
            # The power goes while it has everything open; what it holds goes with it.
            try:
                asyncio.run(_fill(folder, jobs))
                os.write(told, b".")
                time.sleep(60)
            finally:
                os._exit(1)
        os.close(told)
        full = os.read(said, 1)
        os.close(said)
        os.kill(child, 9)
        os.waitpid(child, 0)
        if not full:
            raise OSError(f"the store on {kind} could not be filled")
        disk.lose_power()
        begun = time.perf_counter()
        store = Store.open(folder, keep_free_bytes=0)
        open_s = time.perf_counter() - begun
        recovered = store.recovered

        async def count() -> int:
            await store.start()
            totals = store.totals()
            await store.close()
            return sum(totals.jobs.values())

        if (found := asyncio.run(count())) != jobs:
            raise OSError(f"of {jobs} jobs {found} are there after a power cut on {kind}")
    say(f"{kind}: {jobs} jobs were open again after {open_s:.2f} s")
    return Recovery(jobs, open_s, recovered)


async def _fill(folder: Path, jobs: int) -> None:
    store = Store.open(folder, keep_free_bytes=0)
    await store.start()
    for first in range(0, jobs, _AT_ONCE):
        await asyncio.gather(*(_submit(store, number) for number in range(first, min(jobs, first + _AT_ONCE))))
    left = round(jobs * _ENDED)
    while left:
        ready = await store.ready(store.now(), min(_AT_ONCE, left))
        leased = await store.lease([each.id for each in ready])
        left -= len(leased)
        await asyncio.gather(*(_succeed(store, each) for each in leased))
    await _lease(store, round(jobs * _RUNNING))


async def _submit(store: Store, number: int) -> None:
    fd = memory_file(b"document %d\n" % number * 20)
    try:
        options = JobOptions(ConvertOptions(name=f"document {number}"), labels={"number": str(number)})
        await store.submit(NewJob(1000, options, "engine 1"), fd)
    finally:
        os.close(fd)


async def _succeed(store: Store, leased: Leased) -> None:
    fd = memory_file(b"result of " + os.pread(leased.document_fd, 100, 0))
    os.close(leased.document_fd)
    try:
        await store.succeed(leased.job, fd, ConversionReport(1, 0, 0, "text/markdown", 110, 0.01, 10**7))
    finally:
        os.close(fd)


async def _lease(store: Store, count: int) -> None:
    while count > 0:
        leased = await store.lease([each.id for each in await store.ready(store.now(), min(count, _AT_ONCE))])
        count -= len(leased)
        for each in leased:
            os.close(each.document_fd)


def slowest(recoveries: Sequence[Recovery]) -> float:
    """Seconds of the longest."""
    return max(each.open_s for each in recoveries)
