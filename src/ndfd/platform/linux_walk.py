"""Opens a folder by its path, name by name, so that nobody who may change a part of it leads the way elsewhere.

A program with more rights than those whose folders it works in follows a link there only to what is its maker's
anyway: so do web servers (Apache's SymLinksIfOwnerMatch) and the kernel in /tmp (fs.protected_symlinks, proc(5)).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from pathlib import PurePath

_SEARCHED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Links of one path, as in the kernel (path_resolution(7)).
_LINKS_MAX = 40


def open_folder(path: PurePath, *, make: bool) -> tuple[int, tuple[os.stat_result, ...]]:
    """As `Files.open_folder`."""
    walk = _Walk()
    try:
        fd = walk.go(_open_root() if path.is_absolute() else os.open(".", _SEARCHED), path.parts, make=make)
    except OSError as error:
        error.filename = str(path)
        raise
    try:
        # On the way a folder may be one that can be passed and not be read.
        return os.open(".", _SEARCHED, dir_fd=fd), tuple(walk.way)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        os.close(fd)


class _Walk:
    """One path on its way."""

    def __init__(self) -> None:
        self._trusted = {0, os.geteuid()}
        self._links = 0
        #: Every folder that was passed.
        self.way: list[os.stat_result] = []

    def go(self, fd: int, names: Iterable[str], *, make: bool) -> int:
        """From the open folder, which it closes, by these names; the descriptor of the last is for nothing but that."""
        try:
            self.way.append(os.fstat(fd))
            for name in names:
                if name == "/":
                    continue
                former, fd = fd, self._enter(fd, name, make=make)
                os.close(former)
                self.way.append(os.fstat(fd))
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _enter(self, fd: int, name: str, *, make: bool) -> int:
        try:
            # Not O_PATH at once: it would mount nothing that is mounted when it is needed.
            return os.open(name, _SEARCHED, dir_fd=fd)
        except FileNotFoundError:
            if not make:
                raise
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=fd)
            # Not where the folder may be written to and not be read.
            with contextlib.suppress(OSError):
                os.fsync(fd)
            return os.open(name, _SEARCHED, dir_fd=fd)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP, errno.EACCES):
                raise
        found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        try:
            status = os.fstat(found)
            if stat.S_ISLNK(status.st_mode):
                return self._follow(fd, found, status)
            if not stat.S_ISDIR(status.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            return os.dup(found)
        finally:
            os.close(found)

    def _follow(self, fd: int, link: int, status: os.stat_result) -> int:
        self._links += 1
        if self._links > _LINKS_MAX:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = PurePath(os.readlink("", dir_fd=link))
        reached = self.go(_open_root() if target.is_absolute() else os.dup(fd), target.parts, make=False)
        makers = {status.st_uid, os.fstat(fd).st_uid} - self._trusted
        owner = os.fstat(reached).st_uid
        if makers - {owner}:
            os.close(reached)
            raise PermissionError(
                errno.EPERM, f"a link that user {min(makers)} made or may move leads to a folder of user {owner}"
            )
        return reached


def _open_root() -> int:
    return os.open("/", _SEARCHED)
