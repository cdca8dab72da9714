"""A document on a file system that does not answer keeps nobody waiting but its own caller."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndfd.client import Client
from ndfd.errors import Busy, DocumentTooLarge, InputError, UsageError
from ndfd.server.generation import DoorLimits
from ndfd.server.http_door import HttpDoorLimits
from ndfd.server.stalling import LINGERING_MAX, PER_USER_MAX, Settling
from tests.platform.fuse import SlowFileSystem, slow_file_system
from tests.server.doors import LIMITS, Doors
from tests.server.kept_doors import Shelf, next_daemon
from tests.server.varlink_peer import CONVERT, GET_STATUS, Peer

CONTENT = os.urandom(3_000_000)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[SlowFileSystem]:
    try:
        with slow_file_system(tmp_path / "slow", CONTENT) as mounted:
            yield mounted
    except (PermissionError, FileNotFoundError):
        pytest.skip("no file system can be mounted here: that takes root and /dev/fuse")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


async def content(settling: Settling, fd: int, *, max_bytes: int = 10**7, stall_s: float = 30.0) -> bytes:
    async with settling.settled(fd, 7, max_bytes, stall_s) as settled:
        return os.pread(settled, 10**7, 0)


def test_what_answers_at_once_is_given_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")

    async def same(fd: int) -> bool:
        async with Settling(lambda _: False).settled(fd, 7, 10, 1.0) as settled:
            return settled == fd

    with opened(tmp_path / "a") as fd:
        assert asyncio.run(same(fd))


def test_a_slow_document_comes_whole_and_its_faults_are_told() -> None:
    async def read() -> None:
        settling = Settling(lambda _: True)
        fd = os.memfd_create("document")
        os.write(fd, CONTENT)
        try:
            assert await content(settling, fd) == CONTENT
            with pytest.raises(DocumentTooLarge):
                await content(settling, fd, max_bytes=len(CONTENT) - 1)
        finally:
            os.close(fd)
        ours, theirs = os.pipe()
        try:
            for _ in range(PER_USER_MAX + 1):
                with pytest.raises(UsageError, match="a pipe, not a regular file"):
                    await content(settling, ours)
        finally:
            os.close(ours)
            os.close(theirs)

    asyncio.run(read())


def test_one_that_stalls_is_given_up_and_the_loop_goes_on(slow: SlowFileSystem) -> None:
    async def read() -> None:
        settling = Settling()
        with opened(slow.path) as fd:
            assert await content(settling, fd) == CONTENT
            slow.answers.clear()
            for _ in range(PER_USER_MAX):
                with pytest.raises(InputError, match=r"has not answered for 0\.05 s"):
                    await content(settling, fd, stall_s=0.05)
            # Their threads still hang.
            with pytest.raises(Busy):
                await content(settling, fd)
            async with asyncio.timeout(30):
                slow.answers.set()
                while True:
                    with contextlib.suppress(Busy):
                        assert await content(settling, fd) == CONTENT
                        return
                    await asyncio.sleep(0)

    asyncio.run(read())


@contextlib.contextmanager
def open_doors(directory: Path, *, kept: bool) -> Iterator[Doors]:
    directory.mkdir()
    if not kept:
        with Doors(directory, DoorLimits(stall_s=0.2), HttpDoorLimits(), LIMITS).open() as doors:
            yield doors
        return
    with contextlib.closing(Shelf(directory)) as shelf, next_daemon(shelf, stall_s=0.2) as doors:
        yield doors


@pytest.mark.parametrize("kept", [False, True])
def test_a_caller_whose_document_stalls_holds_up_neither_the_door_nor_its_other_callers(
    slow: SlowFileSystem, tmp_path: Path, kept: bool
) -> None:
    with (
        open_doors(tmp_path / "sockets", kept=kept) as doors,
        opened(slow.path) as fd,
        Peer(doors) as peer,
    ):
        slow.answers.clear()
        for _ in range(PER_USER_MAX):
            answer = peer.ask(CONVERT, {"document": {"fd": 0}}, fd)
            assert answer["parameters"]["code"] == "input-unreadable"
            # The door is still at closing its descriptor: others are served nevertheless.
            with Client.connect(doors.varlink_path) as other:
                assert other.status(timeout_s=30).version == "0.1.0"
        # And so is this one, until too many of its descriptors hang.
        for _ in range(LINGERING_MAX - PER_USER_MAX):
            assert peer.ask(CONVERT, {"document": {"fd": 0}}, fd)["parameters"]["code"] == "try-again"
        assert peer.ask(GET_STATUS)["parameters"]["code"] == "try-again"
        assert peer.is_closed()
        slow.answers.set()
