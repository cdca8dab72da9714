"""A document that its owner changes while a worker has it mapped."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ndfd.errors import DocumentChanged
from ndfd.model.conversion import ConvertOptions
from ndfd.supervisor import Pool
from tests.supervisor.fake_pool import run
from tests.supervisor.processes import running

_SIZE = 1_000_000


async def converted(pool: Pool, path: Path, change: Callable[[int], object]) -> str:
    """What became of a conversion during whose first page the document was changed."""
    fd = os.open(path, os.O_RDWR)
    try:
        result = await pool.convert(fd, ConvertOptions(deadline_s=60.0), uid=7, on_page=lambda _page: change(fd))
        try:
            return os.pread(result.fd, 100, 0).decode()
        finally:
            os.close(result.fd)
    finally:
        os.close(fd)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A document whose worker waits after its first page, and then reads all of it."""
    file = tmp_path / "document"
    file.write_bytes(b"read-late 0.3 ".ljust(_SIZE, b"x"))
    return file


def test_one_that_is_left_alone_is_converted(path: Path) -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            assert await converted(it.pool, path, lambda _fd: None) == str(_SIZE)

    run(body())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda fd: os.ftruncate(fd, 100), f"it has 100 bytes and had {_SIZE}"),
        (lambda fd: os.truncate(fd, 0), f"it has 0 bytes and had {_SIZE}"),
        (lambda fd: os.pwrite(fd, b"more", _SIZE), f"it has {_SIZE + 4} bytes and had {_SIZE}"),
        (lambda fd: os.pwrite(fd, b"other", 5000), "it was written to"),
    ],
    ids=["shortened", "emptied", "lengthened", "rewritten"],
)
def test_one_that_is_changed_is_named_and_no_other_notices(
    path: Path, tmp_path: Path, change: Callable[[int], object], said: str
) -> None:
    other = tmp_path / "other"
    other.write_bytes(path.read_bytes())

    async def body() -> None:
        async with running(workers=2) as it:
            beside = asyncio.create_task(converted(it.pool, other, lambda _fd: None))
            with pytest.raises(DocumentChanged, match=said):
                await converted(it.pool, path, change)
            assert await beside == str(_SIZE)
            assert it.crashes == []

    run(body())
