"""A file that is not there before it is whole, and is its owner's alone."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ndfd.cli.outputs import sync_folders
from ndfd.errors import OutputError

#: What a file system says that has no hard links.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@contextmanager
def partial_file(path: Path, *, force: bool) -> Iterator[tuple[int, Path]]:
    """A descriptor on FILE.partial, mode 0600, and its path; at the end of the block it becomes FILE, durably.

    A file that is there is replaced with `force` only. When the block raises, nothing is left. `OutputError` where it
    cannot be done, another one writes it just now, or somebody else has put something in its place.
    """
    if not force and path.exists():
        raise _exists(path)
    partial = path.with_name(path.name + ".partial")
    with _said(partial):
        fd = _opened(partial)
    try:
        yield fd, partial
        with _said(path):
            _rename(partial, path, force)
        sync_folders([path])
    finally:
        with contextlib.suppress(OSError):  # It has its name, and this one is gone, when all went well.
            if os.fstat(fd).st_ino == partial.lstat().st_ino:
                partial.unlink()
        os.close(fd)


def _opened(partial: Path) -> int:
    while True:
        try:
            fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            _remove_left(partial)
            continue
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd


def _remove_left(partial: Path) -> None:
    """What a killed command left; `OutputError` for anything else that has the name."""
    fd = os.open(partial, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise OutputError(f"{partial} is in the way, and is no file of yours", hint="write to a folder of your own")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"{partial} is being written just now", hint="wait for that, or name another") from None
        partial.unlink()
    finally:
        os.close(fd)


def _rename(partial: Path, path: Path, force: bool) -> None:
    if force:
        partial.replace(path)
        return
    try:
        # Unlike rename(2), link(2) refuses a name that somebody has taken meanwhile.
        path.hardlink_to(partial)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        partial.rename(path)


def _exists(path: Path) -> OutputError:
    return OutputError(f"{path} is there already", hint="name another, or have it replaced with --force")


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error
