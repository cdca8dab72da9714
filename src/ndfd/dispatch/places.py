"""Places at the workers of a pool, given in the order in which they were asked for."""

from __future__ import annotations

import asyncio
from collections import deque


class Places:
    """A job takes one when it asks the pool for a worker, so that no more ask than there are workers.

    Whoever converts without storing thus finds none of the waiting jobs before it in the pool's queue, and a job's
    deadline does not run while it waits here. What is leased ahead waits here, ready to begin at once.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._count = count
        self._line: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Returns when there is one. Cancelling leaves it to the next."""
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # It was given in the moment in which nobody wanted it any more.
                self.give_back()
            elif turn in self._line:
                self._line.remove(turn)
            raise

    def give_back(self) -> None:
        """It is the next one's."""
        self._free += 1
        self._give()

    def resize(self, count: int) -> None:
        """There are so many from now on; those that are taken stay so."""
        self._free += count - self._count
        self._count = count
        self._give()

    def _give(self) -> None:
        while self._free > 0 and self._line:
            turn = self._line.popleft()
            # One whose task was cancelled a moment ago, and has not heard of it.
            if not turn.cancelled():
                self._free -= 1
                turn.set_result(None)
