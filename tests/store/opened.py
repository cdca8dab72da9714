"""A store on the disk, opened for a test, and jobs for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ndfd.model.conversion import ConversionReport, ConvertOptions
from ndfd.model.jobs import Job, JobOptions, Submission
from ndfd.platform import sealed_memfd
from ndfd.store import Leased, NewJob, Store, TakenFile, under_way

T = TypeVar("T")

ALICE, BOB = 1000, 1001
REPORT = ConversionReport(1, 0, 0, "text/markdown", 6, 0.1, 1)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a test's body to its end."""
    return asyncio.run(coroutine)


@contextlib.asynccontextmanager
async def opened(folder: Path, **settings: Any) -> AsyncIterator[Store]:
    """A store that works within the block."""
    store = Store.open(folder, **{"keep_free_bytes": 0, **settings})
    await store.start()
    try:
        yield store
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def killed(folder: Path) -> AsyncIterator[Store]:
    """As `opened`, and what it leaves of the runs under way is what it would leave if it were killed."""
    async with opened(folder) as store:
        yield store
        record = (folder / under_way.FILE).read_bytes()
    (folder / under_way.FILE).write_bytes(record)


@contextlib.contextmanager
def memory(data: bytes) -> Iterator[int]:
    """A descriptor on these bytes."""
    fd = sealed_memfd("test", data)
    try:
        yield fd
    finally:
        os.close(fd)


def new_job(
    uid: int = ALICE,
    *,
    key: str | None = None,
    labels: Mapping[str, str] | None = None,
    priority: int = 0,
    engine: str = "1",
    hooks: tuple[str, ...] = (),
    taken: TakenFile | None = None,
    **convert: Any,
) -> NewJob:
    """A job to be."""
    options = JobOptions(ConvertOptions(**convert), priority=priority, key=key, labels=labels or {})
    return NewJob(uid, options, engine, hooks, taken)


async def submit(store: Store, data: bytes = b"document", uid: int = ALICE, **job: Any) -> Submission:
    """Submits these bytes."""
    with memory(data) as fd:
        return await store.submit(new_job(uid, **job), fd)


async def lease(store: Store, *ids: str) -> tuple[Leased, ...]:
    """Leases jobs, and closes their documents."""
    leased = await store.lease(ids)
    for job in leased:
        os.close(job.document_fd)
    return leased


async def succeed(store: Store, job: Job, data: bytes = b"result") -> bool:
    """Leases the job and gives it a result."""
    (leased,) = await lease(store, job.id)
    with memory(data) as fd:
        return await store.succeed(leased.job, fd, REPORT)


async def result(store: Store, job: Job) -> bytes:
    """Of a job that has one."""
    _job, fd = await store.result(job.id, None)
    try:
        return os.pread(fd, 1 << 20, 0)
    finally:
        os.close(fd)


def files(store: Store) -> list[Path]:
    """Those of the spool."""
    return sorted(path for path in (store.folder / "spool").rglob("*") if path.is_file())
