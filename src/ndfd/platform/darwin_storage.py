"""macOS: a flush that reaches the medium, copies that the file system makes.

Not run on this platform: written from its manual pages, and nothing here has been executed on it.
"""

from __future__ import annotations

import ctypes
import fcntl
import os

from ndfd.platform.base_storage import Storage

#: sys/fcntl.h
_F_FULLFSYNC = 51
#: copyfile.h
_COPYFILE_DATA = 1 << 3
_COPYFILE_CLONE = 1 << 24


class DarwinStorage(Storage):
    """The answers of macOS."""

    def sync(self, fd: int) -> None:
        """F_FULLFSYNC of fcntl(2), where the file system has it: fsync(2) leaves the bytes in the drive's cache."""
        try:
            fcntl.fcntl(fd, _F_FULLFSYNC)
        except OSError:
            os.fsync(fd)

    def copy(self, source: int, target: int, size: int) -> int:
        """fcopyfile(3) with COPYFILE_CLONE: shares the blocks on APFS."""
        library = ctypes.CDLL(None, use_errno=True)
        if library.fcopyfile(source, target, None, _COPYFILE_DATA | _COPYFILE_CLONE) == 0:
            return os.fstat(target).st_size
        return super().copy(source, target, size)
