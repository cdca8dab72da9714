"""Linux: leases tell of writers, renameat2 of names that are taken."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
from pathlib import Path

from ndfd.platform import linux_walk
from ndfd.platform.base_files import Files

#: linux/fs.h
_RENAME_NOREPLACE = 1
#: What says that this kernel or this file system has no such call, as opposed to: it failed.
_NOT_THIS_WAY = {errno.EINVAL, errno.ENOSYS}


class LinuxFiles(Files):
    """The answers of Linux."""

    def __init__(self) -> None:
        self._renameat2 = _renameat2()

    def has_writer(self, fd: int) -> bool | None:
        """A read lease is granted only while nobody writes (fcntl(2), "Leases"); None for a file of another user.

        Other users' files need CAP_LEASE, and NFS and FUSE have their own minds. Whoever opens the file for writing in
        the microseconds of the lease waits for its end, or with O_NONBLOCK is told EWOULDBLOCK.
        """
        try:
            # The kernel tells the holder of such an opening with SIGIO, which would end this process; SIGURG does not.
            fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as error:
            return True if error.errno == errno.EAGAIN else None
        with contextlib.suppress(OSError):  # Broken meanwhile.
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False

    def rename_new(self, old: str, new: str, old_folder_fd: int, new_folder_fd: int) -> None:
        """renameat2(2) with RENAME_NOREPLACE, one step, on every common local file system."""
        if self._renameat2 is not None:
            names = os.fsencode(old), os.fsencode(new)
            if self._renameat2(old_folder_fd, names[0], new_folder_fd, names[1], _RENAME_NOREPLACE) == 0:
                return
            error = ctypes.get_errno()
            if error not in _NOT_THIS_WAY:
                raise OSError(error, os.strerror(error), old, None, new)
        super().rename_new(old, new, old_folder_fd, new_folder_fd)

    def open_folder(self, path: Path, *, make: bool = False) -> tuple[int, tuple[os.stat_result, ...]]:
        """Name by name (openat(2)), each link by itself."""
        return linux_walk.open_folder(path, make=make)


def _renameat2() -> ctypes._NamedFuncPointer | None:
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None  # glibc before 2.28.
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return function
