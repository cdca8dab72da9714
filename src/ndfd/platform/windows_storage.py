"""Windows: locks, and folders that need no flush.

Not run on this platform: written from its documentation, and nothing here has been executed on it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ndfd.platform.base_storage import Storage


class WindowsStorage(Storage):
    """The answers of Windows. `os.fsync` is FlushFileBuffers there."""

    def sync_folder(self, folder: Path) -> None:
        """Nothing: NTFS journals its names, and a folder cannot be opened for a flush."""

    def lock(self, fd: int) -> bool:
        """LockFileEx on the first byte."""
        import msvcrt

        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # Of Windows only.
        except PermissionError:
            return False
        return True

    def free_bytes(self, folder: Path) -> int:
        """GetDiskFreeSpaceEx."""
        return shutil.disk_usage(folder).free
