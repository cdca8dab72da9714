"""The structured log of the machine's service manager. This is the portable answer: there is none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class Journal:
    """Takes entries that are encoded already (`ndfd.telemetry.journal`). May be used by several threads at once."""

    #: Whether this system has such a log at all.
    known = False

    def __init__(self, path: Path | None = None) -> None:
        """`path` is where it takes entries; None for the system's own place. Nothing is opened or looked at."""

    def is_there(self) -> bool:
        """Whether somebody could be listening there now."""
        return False

    def is_behind(self, fd: int, environment: Mapping[str, str]) -> bool:
        """Whether what is written to this descriptor goes to the journal, as this process's environment says."""
        return False

    def send(self, entry: bytes, *, wait: bool) -> None:
        """Hands an entry over, whatever its size. OSError when it cannot be.

        With `wait`, waits for 50 ms at most while the journal has no room; `BlockingIOError` after that, or at once.
        """
        raise OSError(0, "this system has no journal")

    def close(self) -> None:
        """Closes what was opened; a later `send` opens it anew."""
