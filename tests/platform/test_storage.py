"""Durable writes and copies of files, on the file systems of this machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndfd.platform import linux_storage, memfd, storage
from ndfd.platform.base_storage import Storage

DATA = os.urandom(3_000_000)


@contextlib.contextmanager
def on_disk(folder: Path, data: bytes) -> Iterator[int]:
    path = folder / "source"
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def in_memory(folder: Path, data: bytes) -> Iterator[int]:
    fd = memfd("source")
    os.write(fd, data)
    try:
        yield fd
    finally:
        os.close(fd)


@pytest.mark.parametrize("source", [on_disk, in_memory])
@pytest.mark.parametrize("lacking", [(), ("_copy_file_range",), ("_copy_file_range", "_sendfile")])
@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_a_copy_has_the_bytes_of_the_source_by_whichever_way(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source,
    lacking: tuple[str, ...],
    data: bytes,  # type: ignore[no-untyped-def]
) -> None:
    def lacks(*arguments: object) -> int:
        raise OSError(18, "not this way")

    for name in lacking:
        monkeypatch.setattr(linux_storage, name, lacks)
    target = os.open(tmp_path / "target", os.O_RDWR | os.O_CREAT)
    with source(tmp_path, data) as fd:
        assert storage.copy(fd, target, len(data)) == len(data)
        assert Storage().copy(fd, target, len(data)) == len(data)
    os.close(target)
    assert (tmp_path / "target").read_bytes() == data


def test_a_file_without_a_name_is_linked_in_once(tmp_path: Path) -> None:
    folder = storage.open_folder(tmp_path)
    for number, linked in enumerate((True, False)):
        fd = storage.open_unnamed(tmp_path)
        if fd is None:
            pytest.skip(f"the file system of {tmp_path} has no files without a name")
        os.write(fd, b"%d" % number)
        storage.start_writeback(fd)
        storage.sync(fd)
        assert storage.link(fd, "name", folder) is linked
        os.close(fd)
    os.close(folder)
    storage.sync_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["name"]
    assert (tmp_path / "name").read_bytes() == b"0"
    assert (tmp_path / "name").stat().st_mode & 0o777 == 0o600


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    storage.replace(path, b"old")
    storage.replace(path, b"new", mode=0o640)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640

    def fail(fd: int) -> None:
        raise OSError(28, "full")

    with monkeypatch.context() as patched:
        patched.setattr(storage, "sync", fail)
        with pytest.raises(OSError, match="full"):
            storage.replace(path, b"never")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_lock_is_one_processes_and_ends_with_it(tmp_path: Path) -> None:
    code = (
        "import os, sys; from ndfd.platform import storage; fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT);"
        "print(storage.lock(fd), flush=True); sys.stdin.read()"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        fd = os.open(tmp_path / "lock", os.O_RDWR)
        assert not storage.lock(fd)
        other.kill()
        other.wait()
        assert storage.lock(fd)
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)


def test_free_space_is_what_the_file_system_says(tmp_path: Path) -> None:
    status = os.statvfs(tmp_path)
    assert 0 <= storage.free_bytes(tmp_path) <= status.f_blocks * status.f_frsize
