"""Files put into a folder: whole or not at all, on the disk when it is said so, and never in place of another.

Folders are held by descriptors and walked name by name without following links, so that nobody who may write to them
can lead the daemon elsewhere. (Needs openat; not run on Windows.)
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ndfd.dispatch.file_names import OutputName
from ndfd.platform import files, storage

_FOLDER = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_DIRECTORY", 0)
_FILE = os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_CHUNK_BYTES = 1 << 20


@contextlib.contextmanager
def folder(root: Path, below: str = "", *, make: bool = False) -> Iterator[int]:
    """A descriptor on the folder, or on one below it; with `make`, those that are missing are made.

    The root itself is the operator's word, and may be a link that nobody else can bend; nothing below it may be one.
    """
    with way(root, below, make=make) as (fd, _folders):
        yield fd


@contextlib.contextmanager
def way(root: Path, below: str = "", *, make: bool = False) -> Iterator[tuple[int, tuple[os.stat_result, ...]]]:
    """As `folder`, with every folder on the way to it, itself the last; none where the system does not tell."""
    fd, folders = files.open_folder(root, make=make)
    try:
        for name in PurePosixPath(below).parts:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=fd)
                    storage.sync(fd)
            former, fd = fd, os.open(name, _FOLDER | _NO_FOLLOW, dir_fd=fd)
            os.close(former)
            folders = folders and (*folders, os.fstat(fd))
        yield fd, folders
    finally:
        os.close(fd)


def open_regular(name: str, folder_fd: int) -> int:
    """A regular file, for reading; OSError for anything else, links too. Never waits, as for a FIFO's writer."""
    fd = os.open(name, os.O_RDONLY | _FILE, dir_fd=folder_fd)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no regular file")
    return fd


def put(folder_fd: int, name: OutputName, number: str, content: int | bytes) -> str:
    """Puts a file there that holds the bytes, or what is behind the descriptor; returns the name it has.

    On the disk, name and all, when this returns. Doing it again with the same number leads to the same: where the name
    is another file's, `number` goes into it. OSError when it cannot, and nothing is left behind then; nor by a crash,
    where the file system has files without a name. Elsewhere the next attempt removes what a crash has left.
    """
    staged = f".ndfd-{number}.part"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(staged, dir_fd=folder_fd)
    placed = _put_unnamed(folder_fd, name, number, content)
    if placed is None:
        placed = _put_named(folder_fd, staged, name, number, content)
    storage.sync(folder_fd)
    return placed


def _put_unnamed(folder_fd: int, name: OutputName, number: str, content: int | bytes) -> str | None:
    """None where there are no files without a name, or they cannot be given one (without /proc)."""
    # The mode is the folder's readers' business, and so the umask's.
    fd = storage.open_unnamed(Path(f"/proc/self/fd/{folder_fd}"), 0o666)
    if fd is None:
        return None
    try:
        _fill(fd, content)
        storage.sync(fd)
        for each in (name.plain(), name.numbered(number)):
            if storage.link(fd, each, folder_fd) or _holds_the_same(folder_fd, each, fd):
                return each
        # Nobody else makes such a name: what has it is from an earlier attempt.
        os.unlink(name.numbered(number), dir_fd=folder_fd)
        storage.link(fd, name.numbered(number), folder_fd)
        return name.numbered(number)
    except FileNotFoundError:
        return None
    finally:
        os.close(fd)


def _put_named(folder_fd: int, staged: str, name: OutputName, number: str, content: int | bytes) -> str:
    fd = os.open(staged, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FILE, 0o666, dir_fd=folder_fd)
    try:
        try:
            _fill(fd, content)
            storage.sync(fd)
            return _place(folder_fd, staged, fd, name, number)
        finally:
            os.close(fd)
    finally:
        with contextlib.suppress(FileNotFoundError):  # Gone when all went well.
            os.unlink(staged, dir_fd=folder_fd)


def remove_if(folder_fd: int, name: str, begins: bytes) -> None:
    """Removes a file that begins so: one that was put there earlier, and is no longer true."""
    try:
        fd = open_regular(name, folder_fd)
    except OSError:
        return
    try:
        ours = os.pread(fd, len(begins), 0) == begins
    finally:
        os.close(fd)
    if ours:
        os.unlink(name, dir_fd=folder_fd)


def _fill(fd: int, content: int | bytes) -> None:
    if isinstance(content, bytes):
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(fd, rest) :]
        return
    size = os.fstat(content).st_size
    if storage.copy(content, fd, size) != size:
        raise OSError(errno.EIO, "it was shortened while it was copied")


def _place(folder_fd: int, staged: str, staged_fd: int, name: OutputName, number: str) -> str:
    try:
        files.rename_new(staged, name.plain(), folder_fd, folder_fd)
        return name.plain()
    except FileExistsError:
        if _holds_the_same(folder_fd, name.plain(), staged_fd):
            return name.plain()
    # Nobody else makes such a name: what has it is from an earlier attempt.
    os.replace(staged, name.numbered(number), src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    return name.numbered(number)


def _holds_the_same(folder_fd: int, name: str, fd: int) -> bool:
    try:
        other = open_regular(name, folder_fd)
    except OSError:
        return False
    try:
        if os.fstat(other).st_size != os.fstat(fd).st_size:
            return False
        at = 0
        while data := os.pread(fd, _CHUNK_BYTES, at):
            if os.pread(other, len(data), at) != data:
                return False
            at += len(data)
        # It may be there since before a crash that came before its name was on the disk.
        storage.sync(other)
        return True
    finally:
        os.close(other)
