"""Memory by descriptor, sealed so that its reader can trust it."""

from __future__ import annotations

import fcntl
import mmap
import os
from pathlib import Path

import pytest

from ndfd import platform


@pytest.mark.parametrize("data", [b"", b"content", b"x" * 5_000_000], ids=["empty", "short", "long"])
def test_sealed_memory_holds_what_was_written(data: bytes) -> None:
    fd = platform.sealed_memfd("result", data)
    assert platform.is_sealed(fd)
    assert os.fstat(fd).st_size == len(data)
    assert os.pread(fd, len(data) + 1, 0) == data
    os.close(fd)


def test_nobody_can_change_sealed_memory() -> None:
    fd = platform.sealed_memfd("result", b"content")
    for change in (
        lambda: os.pwrite(fd, b"C", 0),
        lambda: os.ftruncate(fd, 1),
        lambda: os.ftruncate(fd, 100),
        lambda: mmap.mmap(fd, 0),
        lambda: fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL),
    ):
        with pytest.raises(PermissionError):
            change()
    os.close(fd)


@pytest.mark.parametrize("missing", [fcntl.F_SEAL_SEAL, fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_GROW, fcntl.F_SEAL_WRITE])
def test_memory_that_lacks_one_seal_does_not_count_as_sealed(missing: int) -> None:
    fd = platform.memfd("result")
    every = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, every & ~missing)
    assert not platform.is_sealed(fd)
    os.close(fd)


def test_what_is_no_memfd_is_not_sealed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    read_end, write_end = os.pipe()
    file = os.open(tmp_path / "file", os.O_RDONLY)
    for fd in (read_end, write_end, file):
        assert not platform.is_sealed(fd)
        os.close(fd)
    assert not platform.is_sealed(file)


def test_memory_is_not_inherited_by_programs_that_are_started() -> None:
    fd = platform.memfd("result")
    assert not os.get_inheritable(fd)
    os.close(fd)
