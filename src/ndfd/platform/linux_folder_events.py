"""Linux: inotify(7), as one descriptor that an event loop waits for, without a thread and without polling."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from ndfd.platform.folder_events import FolderEvents

# sys/inotify.h
_IN_MODIFY, _IN_ATTRIB, _IN_CLOSE_WRITE = 0x2, 0x4, 0x8
_IN_MOVED_FROM, _IN_MOVED_TO, _IN_CREATE, _IN_DELETE = 0x40, 0x80, 0x100, 0x200
_IN_DELETE_SELF, _IN_MOVE_SELF = 0x400, 0x800
_IN_ONLYDIR = 0x01000000
_CHANGES = (
    _IN_MODIFY
    | _IN_ATTRIB
    | _IN_CLOSE_WRITE
    | _IN_MOVED_FROM
    | _IN_MOVED_TO
    | _IN_CREATE
    | _IN_DELETE
    | _IN_DELETE_SELF
    | _IN_MOVE_SELF
)

#: More than one event takes at most: its head of 16 bytes and a name of 255.
_READ_BYTES = 64 * 1024

_libc = ctypes.CDLL(None, use_errno=True)


class LinuxFolderEvents(FolderEvents):
    """One instance of inotify. It reports an overflow of its queue as an event, so that none goes unnoticed."""

    known = True

    def __init__(self, folders: Iterable[Path]) -> None:
        # IN_CLOEXEC and IN_NONBLOCK are those of open(2).
        self._fd = _checked(_libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
        try:
            for folder in folders:
                _checked(_libc.inotify_add_watch(self._fd, os.fsencode(folder), _CHANGES | _IN_ONLYDIR))
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Of the instance."""
        return self._fd

    def drain(self) -> None:
        """Reads all there is."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._fd, _READ_BYTES):
                pass

    def close(self) -> None:
        """The watches end with the instance."""
        os.close(self._fd)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
