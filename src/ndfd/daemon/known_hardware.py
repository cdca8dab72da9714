"""What the daemon knows of the machine: looked at when somebody asks, by a thread, and known for a while.

A daemon that is told to stop while it looks stops when it has looked: after some seconds at most.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ndfd.model.hardware import Hardware
from ndfd.platform.accelerators import hardware

#: Seconds after which it is looked at anew: drivers are loaded after the daemon's start, CPUs come and go.
_KNOWN_S = 60.0


class KnownHardware:
    """However many ask at once, and how often: one look a minute."""

    def __init__(self, look: Callable[[], Hardware] = hardware, clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._known: Hardware | None = None
        self._known_until = 0.0
        self._under_way: asyncio.Task[Hardware] | None = None

    async def get(self) -> Hardware:
        """The machine as it was a minute ago at most. Whoever gives up waiting spoils nothing for the others."""
        if self._known is not None and self._clock() < self._known_until:
            return self._known
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._look_again())
        return await asyncio.shield(self._under_way)

    async def _look_again(self) -> Hardware:
        try:
            self._known = await asyncio.to_thread(self._look)
            self._known_until = self._clock() + _KNOWN_S
            return self._known
        finally:
            self._under_way = None
