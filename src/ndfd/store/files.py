"""Where files are copied and checked that would hold up the event loop or the store's threads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ndfd.store.database import ours
from ndfd.store.values import Leased

T = TypeVar("T")

#: Hashing keeps a processor busy, and no more than a few files are large.
_THREADS = 4


class Files:
    """Threads for work on files; the system's errors come out as ours."""

    def __init__(self, folder: Path) -> None:
        """`folder` is for messages."""
        self._folder = folder
        self._threads = ThreadPoolExecutor(_THREADS, "ndfd-store-files")

    async def do(self, work: Callable[..., T], *arguments: Any) -> T:
        """What the work gives."""
        return await self._begin(work, arguments)

    async def open(self, work: Callable[..., int], *arguments: Any) -> int:
        """The descriptor that the work gives; it is closed where nobody waits for it any more."""
        future = self._begin(work, arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(_close)
            raise

    def stop(self) -> None:
        """Returns when all is done."""
        self._threads.shutdown()

    def _begin(self, work: Callable[..., T], arguments: tuple[Any, ...]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, self._guarded, work, arguments)

    def _guarded(self, work: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        try:
            return work(*arguments)
        except OSError as error:
            raise ours(error, self._folder) from error


def _close(future: asyncio.Future[int]) -> None:
    if not future.cancelled() and future.exception() is None:
        os.close(future.result())


def close_unwanted(opening: asyncio.Future[Leased | None]) -> None:
    """What was opened for somebody who has left meanwhile."""
    if not opening.cancelled() and opening.exception() is None and (leased := opening.result()) is not None:
        os.close(leased.document_fd)
