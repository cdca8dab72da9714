"""A store with jobs of every kind in it, for tests that then do something to it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ndfd.model.conversion import ConversionReport
from ndfd.model.jobs import Job, JobOptions
from ndfd.platform import memfd
from ndfd.store import NewJob, Store

ENGINE = "0.1.0 test"
UID = 1000


@asynccontextmanager
async def started(folder: Path, keep_free_bytes: int = 0) -> AsyncIterator[Store]:
    """The store of this folder, working."""
    store = Store.open(folder, keep_free_bytes=keep_free_bytes)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


def descriptor(content: bytes) -> int:
    """A file without a name that holds it."""
    fd = memfd("test")
    os.write(fd, content)
    return fd


async def submitted(store: Store, content: bytes, uid: int = UID, options: JobOptions | None = None) -> Job:
    """A job with this document."""
    fd = descriptor(content)
    try:
        return (await store.submit(NewJob(uid, options or JobOptions(), ENGINE), fd)).job
    finally:
        os.close(fd)


async def finished(store: Store, job: Job, content: bytes) -> Job:
    """The job once it has this result."""
    (leased,) = await store.lease([job.id])
    os.close(leased.document_fd)
    fd = descriptor(content)
    try:
        assert await store.succeed(leased.job, fd, report(len(content)))
    finally:
        os.close(fd)
    return await store.get(job.id, None)


def report(size: int) -> ConversionReport:
    """Of a conversion without anything to say about it."""
    return ConversionReport(1, 0, 0, "application/pdf", size, 0.01, 1_000_000)


async def document_of(store: Store, job: Job) -> bytes:
    """What a worker is given of a queued job, which is running then."""
    (leased,) = await store.lease([job.id])
    return whole(leased.document_fd)


async def result_of(store: Store, job: Job) -> bytes:
    """Of a job that has succeeded."""
    _job, fd = await store.result(job.id, None)
    return whole(fd)


def whole(fd: int) -> bytes:
    """All bytes of a descriptor, which is closed."""
    try:
        return os.pread(fd, os.fstat(fd).st_size + 1, 0)
    finally:
        os.close(fd)


def spooled(folder: Path) -> list[Path]:
    """The files of documents and results."""
    spool = folder / "spool"
    return sorted(path for path in spool.rglob("*") if path.is_file() and path.parent != spool / "incoming")
