"""Forgets finished jobs beyond what is to be kept of them."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from ndfd.errors import NdfdError
from ndfd.store import Keep, Store

_log = structlog.get_logger(__name__)

#: Age is looked at so often; number and size also whenever so many jobs have ended.
EVERY_S = 300.0
EVERY_ENDS = 1000


class Retention:
    """Looks at the start, after a while, and after many ends."""

    def __init__(self, store: Store, keep: Keep) -> None:
        self._store = store
        self._keep = keep
        self._ends = 0
        self._due = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._work(), name="retention of jobs")

    def ended(self) -> None:
        """A job has ended."""
        self._ends += 1
        if self._ends >= EVERY_ENDS:
            self._due.set()

    def reconfigure(self, keep: Keep) -> None:
        """So much is kept from now on."""
        if keep != self._keep:
            self._keep = keep
            self._due.set()

    async def stop(self) -> None:
        """Returns when nothing is forgotten any more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _work(self) -> None:
        while True:
            self._due.clear()
            self._ends = 0
            try:
                if forgotten := await self._store.expire(self._keep):
                    _log.info("finished jobs were forgotten", jobs=forgotten)
            except NdfdError as error:
                _log.error("finished jobs cannot be forgotten: it is tried again later", reason=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._due.wait()
