"""The files by which a kernel tells and takes its settings: the promises, and the answer of a system without them."""

from __future__ import annotations

import errno
import os
from pathlib import Path


class KernelFiles:
    """The settings of the kernel whose files lie below a root: "/" for this machine's own.

    Paths are absolute within it, as "/proc/sys/vm/swappiness". Every error is an OSError with the system's number. This
    class is the answer of a system without such files, to which each of them is one that is not there.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def shown(self, path: str) -> str:
        """Where the file really is."""
        return str(self.root / path.lstrip("/"))

    def read(self, path: str) -> str:
        """All that the file holds."""
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def write(self, path: str, text: str) -> None:
        """Hands the text over in one write, as the shell's `>` does; never makes a file.

        The kernel may take less of it than it was given, and tell nobody: who wants to know reads it back.
        """
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def names(self, folder: str) -> tuple[str, ...]:
        """What is in a folder, sorted; empty for one that is not there."""
        return ()
