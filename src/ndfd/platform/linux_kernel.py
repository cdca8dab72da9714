"""Linux: /proc (proc(5)) and /sys (sysfs(5))."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ndfd.platform.base_kernel import KernelFiles

#: A file of sysfs is at most a page long, one of /proc/sys not much more.
_SIZE_MAX_BYTES = 64 * 1024


class LinuxKernelFiles(KernelFiles):
    """The answers of Linux."""

    def read(self, path: str) -> str:
        """read(2) until the end: a file of /proc may give its text in pieces."""
        fd = os.open(self.shown(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            found = b""
            while len(found) < _SIZE_MAX_BYTES and (piece := os.read(fd, _SIZE_MAX_BYTES - len(found))):
                found += piece
        finally:
            os.close(fd)
        return found.decode("utf-8", "replace")

    def write(self, path: str, text: str) -> None:
        """One write(2): each is a whole value to the kernel ("sysctl_writes_strict", proc_sys_kernel(5))."""
        # The kernel's files ignore O_TRUNC; a shell asks for it, and a tree of plain files needs it.
        fd = os.open(self.shown(path), os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            data = text.encode()
            if os.write(fd, data) != len(data):
                raise OSError(errno.EIO, "only a part of the value was taken", path)
        finally:
            os.close(fd)

    def names(self, folder: str) -> tuple[str, ...]:
        """As promised."""
        try:
            return tuple(sorted(each.name for each in Path(self.shown(folder)).iterdir()))
        except (FileNotFoundError, NotADirectoryError):
            return ()
