"""The store's time: it never goes back, whatever is done to the machine's clock."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Seconds since 1970 that only grow, over all lives of the daemon."""

    def __init__(
        self,
        last: float,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`last` is the last moment that was written in the life before."""
        self._wall = wall
        self._monotonic = monotonic
        #: A moment of the store's time, and of the steady clock: one value, for several threads ask.
        self._anchor = (max(last, wall()), monotonic())

    def now(self) -> float:
        """This moment. A clock that is set back is not followed, one that is ahead is."""
        base, since = self._anchor
        steady = base + (self._monotonic() - since)
        wall = self._wall()
        if wall > steady:
            self._anchor = (wall, self._monotonic())
            return wall
        return steady
