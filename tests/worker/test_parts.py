"""Real workers with the real engine, confined as always, that read parts of a document and compose them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from ndfd import platform
from ndfd.document import convert, read_part
from ndfd.errors import EX_PROTOCOL, DocumentChanged, NdfdError
from ndfd.model.conversion import ConversionReport, ConvertOptions, OutputFormat, PageReport
from ndfd.model.sections import SECTIONS_MAX, sections
from ndfd.protocol import frames
from ndfd.protocol.frames import Compose, Job, JobPart, Part, Whole
from ndfd.supervisor import Pool, PoolLimits, Sharding, Zygote, ZygoteOptions
from ndfd.supervisor.task import Task
from ndfd.supervisor.worker_process import WorkerProcess
from tests import documents
from tests.document.test_parts import book
from tests.supervisor.ear import Ear
from tests.supervisor.fake_pool import run
from tests.supervisor.processes import open_descriptors, running

MEMORY_BYTES = 2_000_000_000


@contextlib.contextmanager
def memfd(content: bytes) -> Iterator[int]:
    fd = platform.sealed_memfd("document", content)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.asynccontextmanager
async def pool_of(workers: int, memory_bytes: int = MEMORY_BYTES) -> AsyncIterator[Pool]:
    """A pool with the real engine; no descriptor of it is left afterwards."""
    before = open_descriptors()
    pool = Pool(Zygote(ZygoteOptions(memory_bytes)), PoolLimits(workers, workers, 100))
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()
    assert open_descriptors() == before


def content(fd: int, report: ConversionReport) -> bytes:
    """What a result holds; it is closed."""
    try:
        return os.pread(fd, report.size_bytes, 0)
    finally:
        os.close(fd)


def told(report: ConversionReport) -> ConversionReport:
    """Without what is another each time."""
    return msgspec.structs.replace(report, cpu_s=0.0, rss_max_bytes=0)


def test_a_long_document_comes_out_of_two_workers_as_out_of_one_in_every_format() -> None:
    async def body() -> None:
        async with pool_of(2) as pool:
            with memfd(book(450)) as fd:
                for output_format in OutputFormat:
                    options = ConvertOptions(output_format, name="book.pdf", deadline_s=120.0)
                    seen: list[PageReport] = []
                    whole = await pool.convert(fd, options, uid=0)
                    sharded = await Sharding(pool, 2, 200).convert(fd, options, uid=0, on_page=seen.append)
                    assert content(*reversed(sharded)) == content(*reversed(whole))
                    assert told(sharded.report) == told(whole.report)
                    assert sorted(page.number for page in seen) == list(range(1, 451))
                    assert {page.total for page in seen} == {450}
            # Two reads and a composition in each format beside the whole: the work went to both workers.
            assert all(worker.served > 2 for worker in pool.snapshot().workers)

    run(body())


def test_a_confined_worker_composes_as_many_parts_as_a_document_can_have() -> None:
    async def body() -> None:
        data, options = book(2 * SECTIONS_MAX), ConvertOptions(deadline_s=120.0)
        async with pool_of(1) as pool:
            parts = [read_part(data, options, section, 64)[0] for section in sections(64, 2)]
            assert len(parts) == SECTIONS_MAX
            with memfd(data) as fd, contextlib.ExitStack() as held:
                fds = tuple(held.enter_context(memfd(part)) for part in parts)
                for _ in range(2):
                    task = Task(Compose(len(fds), 64), parts=fds)
                    result = await pool.convert(fd, options, uid=0, task=task)
                    assert content(*reversed(result)) == convert(data, options)[0]
            (worker,) = pool.snapshot().workers
            assert worker.served == 2

    run(body())


def test_a_worker_that_cannot_compose_says_so_and_takes_the_next_job() -> None:
    async def body() -> None:
        data, options = book(6), ConvertOptions(deadline_s=120.0)
        async with pool_of(1) as pool:
            parts = [read_part(data, options, section, 6)[0] for section in sections(6, 2)]
            with memfd(data) as fd, memfd(b"no part") as wrong, contextlib.ExitStack() as held:
                first, second, _ = (held.enter_context(memfd(part)) for part in parts)
                # It gives up at the second of three, and the third is still on its way to it.
                task = Task(Compose(3, 6), parts=(first, wrong, second))
                with pytest.raises(NdfdError, match="a part of 7 bytes is malformed"):
                    await pool.convert(fd, options, uid=0, task=task)
                result = await pool.convert(fd, options, uid=0)
                assert content(*reversed(result)) == convert(data, options)[0]
            (worker,) = pool.snapshot().workers
            assert worker.served == 2

    run(body())


def test_a_document_that_shrinks_between_its_parts_is_named_as_changed() -> None:
    async def body() -> None:
        async with pool_of(1) as pool:
            with memfd(book(3)) as fd, pytest.raises(DocumentChanged, match="it has 3 pages and had 4"):
                await pool.convert(fd, ConvertOptions(deadline_s=60.0), uid=0, task=Task(Part(1, 2, 4)))

    run(body())


def test_the_end_of_a_worker_at_a_part_does_not_show() -> None:
    async def body() -> None:
        async with pool_of(2) as pool:
            data = book(450)
            with memfd(data) as fd:
                options, killed = ConvertOptions(deadline_s=120.0), set[int]()

                def kill(page: PageReport) -> None:
                    if page.number == 160 and not killed:
                        (worker,) = (each for each in pool.snapshot().workers if each.page == 160)
                        killed.add(worker.pid)
                        os.kill(worker.pid, signal.SIGKILL)

                result = await Sharding(pool, 2, 200).convert(fd, options, uid=0, on_page=kill)
                assert killed
                assert content(*reversed(result)) == convert(data, options)[0]

    run(body())


def test_a_cancelled_long_document_leaves_no_worker_at_it() -> None:
    async def body() -> None:
        async with pool_of(2) as pool:
            with memfd(book(900)) as fd:
                begun, options = asyncio.Event(), ConvertOptions(deadline_s=120.0)

                def on_page(page: PageReport) -> None:
                    if page.number > 200:
                        begun.set()

                call = asyncio.create_task(Sharding(pool, 2, 200).convert(fd, options, uid=0, on_page=on_page))
                await begun.wait()
                busy = [psutil.Process(each.pid) for each in pool.snapshot().workers if each.busy_s is not None]
                call.cancel()
                await asyncio.wait([call])
                assert busy
                assert psutil.wait_procs(busy, timeout=20)[1] == []
                result = await pool.convert(fd, options, uid=0)
                os.close(result.fd)

    run(body())


def test_an_engine_that_reads_each_document_whole_says_so_when_asked_for_a_part() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            with memfd(b"echo hello") as fd:
                asked = ConvertOptions(deadline_s=60.0)
                with pytest.raises(NdfdError, match="this engine reads each document whole"):
                    await it.pool.convert(fd, asked, uid=0, task=Task(Part(1, 1, 1)))
                os.close((await it.pool.convert(fd, asked, uid=0, task=Task(Whole(pages_max=1)))).fd)
            assert await it.convert("echo next") == "next"

    run(body())


@contextlib.asynccontextmanager
async def worker() -> AsyncIterator[tuple[WorkerProcess, Ear]]:
    """A worker outside any pool."""
    zygote, ear = Zygote(ZygoteOptions(MEMORY_BYTES)), Ear()
    await zygote.start()
    try:
        yield await zygote.spawn(1, ear), ear
    finally:
        await zygote.close()


JOB = Job(5, ConvertOptions(), 60.0, work=Compose(2, 6))


@pytest.mark.parametrize(
    "sent",
    [
        (JobPart(6), 1),
        (JobPart(5), 0),
        (JobPart(5), 2),
        (Job(6, ConvertOptions(), 60.0), 1),
        (Whole(), 0),
    ],
)
def test_a_worker_that_is_sent_anything_but_the_next_part_ends(sent: tuple[frames.Frame, int]) -> None:
    async def body() -> None:
        async with worker() as (process, ear):
            with memfd(book(6)) as fd:
                process.send(JOB, fd)
                frame, descriptors = sent
                process._channel.send(msgspec.msgpack.encode(frame), [fd] * descriptors)
                assert await ear.hears(1) == [("ended", EX_PROTOCOL)]

    run(body())


def test_a_worker_that_is_sent_a_part_without_a_job_ends() -> None:
    async def body() -> None:
        async with worker() as (process, ear):
            with memfd(b"part") as fd:
                process._channel.send(frames.encode(JobPart(5)), [fd])
                ((what, exit_code),) = await ear.hears(1)  # type: ignore[misc]
                assert (what, exit_code != 0) == ("ended", True)

    run(body())


@pytest.mark.slow
@pytest.mark.parametrize("shard_pages", [None, 200])
def test_ten_thousand_pages_stay_within_a_quarter_of_a_workers_memory(shard_pages: int | None, tmp_path: Path) -> None:
    """With 1 GB, the default being 4."""

    async def body() -> None:
        async with pool_of(2, 1_000_000_000) as pool:
            with memfd(documents.numbered_pages(10_000)) as fd:
                options = ConvertOptions(OutputFormat.JSON, deadline_s=600.0)
                result = await Sharding(pool, 2, shard_pages).convert(fd, options, uid=0)
                os.close(result.fd)
                assert result.report.pages == 10_000
                assert result.report.rss_max_bytes < 500_000_000

    run(body())
