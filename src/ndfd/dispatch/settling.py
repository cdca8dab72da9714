"""When a file has stopped growing. Pure: moments come in as arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Settled(NamedTuple):
    """What a look has shown."""

    #: Paths, in their order, of files that have been as they are for long enough.
    ready: tuple[str, ...]
    #: When the next one may be; None when there is none.
    next_at: float | None


class Settling:
    """Remembers since when each file that is not taken yet is as it is."""

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        #: By path, the mark and the moment it was first seen.
        self._since: dict[str, tuple[str, float]] = {}

    def look(self, marks: Mapping[str, str], now: float) -> Settled:
        """With the mark of every file that is not taken, by its path."""
        since = {}
        for path, mark in marks.items():
            former = self._since.get(path)
            since[path] = former if former is not None and former[0] == mark else (mark, now)
        self._since = since
        ready = tuple(sorted(path for path, (_, moment) in since.items() if moment + self._settle_s <= now))
        waiting = [moment + self._settle_s for path, (_, moment) in since.items() if moment + self._settle_s > now]
        return Settled(ready, min(waiting, default=None))

    def restart(self, path: str, now: float) -> None:
        """It is not done after all, although it looks as before."""
        if path in self._since:
            self._since[path] = (self._since[path][0], now)
