"""What the system tells of changes in folders. This is the portable answer: nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class FolderEvents:
    """Becomes readable when something in one of the folders has changed; what it was has to be looked for."""

    #: Whether this system tells of it.
    known = False

    def __init__(self, folders: Iterable[Path]) -> None:
        """Of the folders themselves, not of those in them. OSError when one cannot be watched."""
        raise OSError(0, "this system tells nothing of changes in folders")

    def fileno(self) -> int:
        """For whoever waits for events of descriptors."""
        raise NotImplementedError

    def drain(self) -> None:
        """Forgets what has happened so far: it becomes readable with the next change."""

    def close(self) -> None:
        """Watches nothing any more."""
