"""A conversion that runs beside what its door does meanwhile, and never leaves its result's descriptor behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from types import TracebackType
from typing import Self

from ndfd.model.conversion import Converted


class PendingConversion:
    """Runs the conversion in a task of its own for the length of an `async with` block.

    At the block's end a conversion that still runs is cancelled, and waited for, and a result that nobody took is
    closed.
    """

    def __init__(self, conversion: Awaitable[Converted]) -> None:
        self.task: asyncio.Future[Converted] = asyncio.ensure_future(conversion)
        self._taken = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.task.cancel()
        # A callback, so that the result is closed even if the wait below is itself cancelled.
        self.task.add_done_callback(self._close)
        await asyncio.wait([self.task])

    def take(self) -> Converted:
        """The result of the finished conversion, whose descriptor the caller then closes; or its error, raised."""
        result = self.task.result()
        self._taken = True
        return result

    def _close(self, task: asyncio.Future[Converted]) -> None:
        if not self._taken and not task.cancelled() and task.exception() is None:
            os.close(task.result().fd)
