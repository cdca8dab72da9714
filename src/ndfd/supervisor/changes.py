"""Waiting for the next change of something that changes often."""

from __future__ import annotations

import asyncio


class Changes:
    """Everyone who waits is woken by the next change; one that nobody waits for costs nothing."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    async def next(self) -> None:
        """Returns after the next change."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._next)

    def tell(self) -> None:
        """There was one."""
        if self._next is not None:
            self._next.set_result(None)
            self._next = None
