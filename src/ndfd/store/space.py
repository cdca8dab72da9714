"""Free space: new work is refused before it can take what accepted work needs."""

from __future__ import annotations

import time
from pathlib import Path

from ndfd.errors import StorageFull
from ndfd.platform import storage

#: Left for the results of accepted work, and for the system, when new work is refused.
KEEP_FREE_BYTES = 1_000_000_000
#: How long the file system's word on its free space holds.
_HOLDS_S = 0.25
#: Space comes back when jobs are forgotten or somebody clears up: nothing that is known to happen soon.
_RETRY_AFTER_S = 10.0


class FreeSpace:
    """Of the file system of a folder, asked a few times a second at most."""

    def __init__(self, folder: Path, keep_bytes: int) -> None:
        self._folder = folder
        self.keep_bytes = keep_bytes
        self._left = 0
        self._until = 0.0

    def left(self) -> int:
        """Bytes that can still be written; OSError."""
        moment = time.monotonic()
        if moment >= self._until:
            self._left = storage.free_bytes(self._folder)
            self._until = moment + _HOLDS_S
        return self._left

    def take(self, size: int) -> None:
        """Counts so many bytes of new work as written; `StorageFull` when what must stay free would not."""
        left = self.left()
        if left - size < self.keep_bytes:
            error = StorageFull(
                f"the disk of {self._folder} has {left // 1_000_000} MB free; {self.keep_bytes // 1_000_000} MB "
                "are kept for accepted work"
            )
            error.retry_after_s = _RETRY_AFTER_S
            raise error
        self._left = left - size
