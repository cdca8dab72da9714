"""The zygote's program with the real engine, and what becomes of it all when nobody is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ndfd import platform
from ndfd.errors import ConfigError, DamagedDocument, UnsupportedFormat
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.supervisor import Pool, PoolLimits, Zygote, ZygoteOptions
from ndfd.worker.sample import SAMPLE_PDF
from tests.supervisor.fake_pool import run
from tests.supervisor.processes import DOUBLE, lives

LIMITS = PoolLimits(1, 1, 100)


@pytest.mark.parametrize("output_format", list(OutputFormat))
def test_the_built_in_document_is_converted(output_format: OutputFormat) -> None:
    async def body() -> None:
        async with pool_of(SAMPLE_PDF) as (pool, fd):
            result = await pool.convert(fd, ConvertOptions(output_format, deadline_s=30.0), uid=0)
            rendered = os.pread(result.fd, result.report.size_bytes, 0)
            os.close(result.fd)
            assert b"The engine reads this line before any other." in rendered
            assert result.report.pages == 1
            assert result.report.media_type == output_format.media_type
            assert result.report.cpu_s > 0
            assert result.report.rss_max_bytes > 5_000_000

    run(body())


@pytest.mark.parametrize(
    ("content", "kind"), [(b"no document", UnsupportedFormat), (b"%PDF-1.7\nand no more", DamagedDocument)]
)
def test_what_is_no_sound_document_is_named(content: bytes, kind: type[Exception]) -> None:
    async def body() -> None:
        async with pool_of(content) as (pool, fd):
            with pytest.raises(kind):
                await pool.convert(fd, ConvertOptions(deadline_s=30.0), uid=0)

    run(body())


def test_an_engine_that_cannot_be_had_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDFD_NATIVE", "nonsense")

    async def body() -> None:
        with pytest.raises(ConfigError, match="NDFD_NATIVE"):
            await Pool(Zygote(ZygoteOptions(2_000_000_000)), LIMITS).start()

    run(body())


def test_nothing_outlives_a_daemon_that_was_killed() -> None:
    with daemon("wait for ever", 30.0) as (process, pids):
        # Before the kill: afterwards they may be gone already.
        processes = [psutil.Process(pid) for pid in pids]
        process.kill()
        # Less than the worker's own last-resort timer would take.
        gone, alive = psutil.wait_procs(processes, timeout=30)
    assert len(gone) == 2
    assert alive == []


@pytest.mark.slow
def test_a_hung_worker_ends_itself_when_zygote_and_daemon_are_gone() -> None:
    with daemon("wait for ever", 1.0) as (process, (zygote, worker)):
        hung = psutil.Process(worker)
        os.kill(zygote, signal.SIGKILL)
        process.kill()
        hung.wait(timeout=30)
        assert not lives(hung)


@contextlib.asynccontextmanager
async def pool_of(content: bytes):  # type: ignore[no-untyped-def]
    """A pool with the real engine, and a document."""
    pool = Pool(Zygote(ZygoteOptions(2_000_000_000)), LIMITS)
    await pool.start()
    fd = platform.sealed_memfd("document", content)
    try:
        yield pool, fd
    finally:
        os.close(fd)
        await pool.stop()


@contextlib.contextmanager
def daemon(text: str, deadline_s: float) -> Iterator[tuple[subprocess.Popen[str], tuple[int, int]]]:
    """A process with a pool whose one worker is at a document; and the pids of its zygote and its worker."""
    command = [sys.executable, str(Path(__file__)), text, str(deadline_s)]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "src")])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            zygote, worker = map(int, process.stdout.readline().split())
            yield process, (zygote, worker)
        finally:
            process.kill()


async def _be_daemon(text: str, deadline_s: float) -> None:
    zygote = Zygote(ZygoteOptions(2_000_000_000, command=(sys.executable, str(DOUBLE))))
    pool = Pool(zygote, LIMITS)
    await pool.start()
    (worker,) = pool.snapshot().workers
    fd = platform.sealed_memfd("document", text.encode())

    def tell(_page: object) -> None:
        print(zygote.pid, worker.pid, flush=True)

    await pool.convert(fd, ConvertOptions(deadline_s=deadline_s), uid=0, on_page=tell)


if __name__ == "__main__":
    asyncio.run(_be_daemon(sys.argv[1], float(sys.argv[2])))
