"""Whether a file may keep us waiting is known without waiting for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ndfd import platform
from tests.platform.fuse import slow_file_system

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells files apart by mount and device")


def may_stall(path: str | Path) -> bool:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return platform.may_stall(fd)
    finally:
        os.close(fd)


def test_files_in_memory_are_answered_at_once() -> None:
    fd = platform.memfd("x")
    try:
        assert not platform.may_stall(fd)
    finally:
        os.close(fd)
    if platform.file_system(Path("/dev/shm")) == "tmpfs":
        assert not may_stall("/dev/shm")


def test_files_on_a_disk_of_this_machine_are(tmp_path: Path) -> None:
    if platform.file_system(tmp_path) not in ("ext4", "xfs", "btrfs", "tmpfs"):
        pytest.skip("the folder for temporary files is on no plain disk")
    (tmp_path / "a").write_bytes(b"a")
    assert not may_stall(tmp_path / "a")


def test_what_is_not_known_may_stall() -> None:
    assert may_stall("/proc/self/status")
    ours, theirs = os.pipe()
    try:
        assert platform.may_stall(ours)
    finally:
        os.close(ours)
        os.close(theirs)
    assert platform.may_stall(1_000_000)


def test_a_file_system_that_does_not_answer_is_not_asked(tmp_path: Path) -> None:
    try:
        with slow_file_system(tmp_path / "slow", b"%PDF") as slow:
            fd = os.open(slow.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                assert os.fstat(fd).st_size == 4
                slow.answers.clear()
                # Would hang, and the test with it.
                assert platform.may_stall(fd)
            finally:
                slow.answers.set()
                os.close(fd)
    except PermissionError:
        pytest.skip("only root mounts a file system here")
    except FileNotFoundError:
        pytest.skip("there is no /dev/fuse")
