"""Who has work going on: over all generations for the quotas, and on one pool until it may be stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator


class Occupancy:
    """The conversions of one daemon that were taken on and have not ended."""

    def __init__(self) -> None:
        self._running: Counter[int] = Counter()
        #: From now on nothing more is taken on; what was, goes on.
        self.closed = False

    @property
    def conversions(self) -> int:
        """Of all users."""
        return self._running.total()

    def of_user(self, uid: int) -> int:
        """Of one user."""
        return self._running[uid]

    @contextlib.contextmanager
    def one_more(self, uid: int) -> Iterator[None]:
        """Counts one for the length of the block."""
        self._running[uid] += 1
        try:
            yield
        finally:
            self._running[uid] -= 1
            # Keeps the table as small as the number of users at work.
            self._running += Counter()


class Held:
    """Counts who still needs something that is to be put away, such as the pool of a former generation."""

    def __init__(self) -> None:
        self._count = 0
        self._free = asyncio.Event()
        self._free.set()

    def __enter__(self) -> None:
        self._count += 1
        self._free.clear()

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if self._count == 0:
            self._free.set()

    async def free(self) -> None:
        """Returns when nobody needs it."""
        await self._free.wait()
