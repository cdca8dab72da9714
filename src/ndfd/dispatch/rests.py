"""Pools that rest, because no worker of theirs comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ndfd.supervisor.back_off import BackOff


class Rests:
    """While one rests no job is leased for it: those that wait keep waiting, and the pool is not asked in vain."""

    def __init__(self, over: Callable[[], None]) -> None:
        """`over` is called when a pool has rested."""
        self._over = over
        self._back_offs: dict[str, BackOff] = {}
        self._resting: dict[str, asyncio.TimerHandle] = {}

    def __contains__(self, pool: str) -> bool:
        return pool in self._resting

    def failed(self, pool: str) -> None:
        """No worker came. It rests, each time for longer; those who had asked at the same time change nothing."""
        if pool not in self._resting:
            delay_s = self._back_offs.setdefault(pool, BackOff()).next_s()
            self._resting[pool] = asyncio.get_running_loop().call_later(delay_s, self._end, pool)

    def worked(self, pool: str) -> None:
        """A worker had a document."""
        self._back_offs.pop(pool, None)

    def stop(self) -> None:
        """No call comes any more."""
        for timer in self._resting.values():
            timer.cancel()
        self._resting.clear()

    def _end(self, pool: str) -> None:
        del self._resting[pool]
        self._over()
