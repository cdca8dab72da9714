"""One process at a time uses a state folder: a daemon, or a restore."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ndfd.errors import StoreError
from ndfd.platform import storage

LOCK_FILE = "lock"


class FolderLock:
    """Held for the length of a `with` block, or from `take` to `release`; the kernel ends it with the process.

    So a lock file that is left means nothing. It is never removed: whoever comes next may hold the removed one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fd = -1

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def take(self) -> None:
        """`StoreError` when another process has it, which it names; OSError when the file cannot be made."""
        fd = os.open(self._folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if not storage.lock(fd):
                pid = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
                raise StoreError(  # noqa: TRY301 - the descriptor is closed in one place
                    f"{self._folder} is in use by another process{f' (pid {pid})' if pid.isdigit() else ''}",
                    hint="stop that one, or name another folder: [storage] state_dir",
                )
            # For that message only: on a full disk it is left out.
            with suppress(OSError):
                os.ftruncate(fd, 0)
                os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def release(self) -> None:
        """Somebody else may have it from now on."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
