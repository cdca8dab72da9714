"""How a file of the configuration is read: only a regular one, never without an end, and looked at as it is read."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read_regular(path: Path, max_bytes: int) -> tuple[bytes, os.stat_result]:
    """The first `max_bytes` and one more, and what the system says of the very file that was read.

    OSError when it cannot be read; one without an `errno` when it is no regular file. Opening a FIFO would wait for
    somebody to write to it, and a device may have no end.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(None, "it is no regular file")
        # Not closed by a file object: that does not take over the descriptor of a folder.
        with open(fd, "rb", closefd=False) as file:
            return file.read(max_bytes + 1), status
    finally:
        os.close(fd)


def is_there(path: Path) -> bool:
    """Whether something is at the path; True as well where that cannot be seen, so that reading it says why."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
