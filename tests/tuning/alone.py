"""The kernel's values are one for the whole machine: tests that set real ones wait for each other."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def alone_on_this_machine() -> Iterator[None]:
    """No other test run, of whatever working tree, is within such a block meanwhile."""
    fd = os.open(Path(tempfile.gettempdir()) / "ndfd-tests-kernel.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
