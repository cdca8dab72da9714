"""What is asked of the operating system about files that other programs write: the promises, and the portable answers.

`LinuxFiles` and `DarwinFiles` derive from `Files` and override what they do better.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path


class Files:
    """The portable answers."""

    def has_writer(self, fd: int) -> bool | None:
        """Whether any process has the file behind a read-only descriptor open for writing; None: it cannot be told."""
        return None

    def rename_new(self, old: str, new: str, old_folder_fd: int, new_folder_fd: int) -> None:
        """Renames a file to a name that nothing has; FileExistsError, and nothing has happened, when something has it.

        OSError with EXDEV between file systems. The portable answer looks first: of two who do so at the same moment
        one may lose its file.
        """
        try:
            os.stat(new, dir_fd=new_folder_fd, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(old, new, src_dir_fd=old_folder_fd, dst_dir_fd=new_folder_fd)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)

    def open_folder(self, path: Path, *, make: bool = False) -> tuple[int, tuple[os.stat_result, ...]]:
        """A descriptor on the folder, and every folder on the way to it, itself the last; `make` makes missing ones.

        A link is followed when nobody but root and this process's user made it or may move it, or when it leads to a
        folder of just that user's; PermissionError otherwise. The portable answer follows every link, and knows of no
        folder on the way.
        """
        if make:
            path.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)), ()
