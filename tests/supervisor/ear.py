"""An ear for what a worker does."""

from __future__ import annotations

import asyncio
import os

from ndfd.errors import WorkerProtocolError
from ndfd.protocol.frames import FromWorker
from ndfd.supervisor.spawner import End


class Ear:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self._more = asyncio.Event()

    def received(self, frame: FromWorker, descriptors: tuple[int, ...]) -> None:
        contents = tuple(os.pread(fd, 100, 0) for fd in descriptors)
        for fd in descriptors:
            os.close(fd)
        self._note((type(frame).__name__, frame.id, *contents))

    def violated(self, error: WorkerProtocolError) -> None:
        self._note("violated")

    def ended(self, end: End) -> None:
        self._note(("ended", end.exit_code))

    async def hears(self, count: int) -> list[object]:
        """Returns when so many things have been told."""
        while len(self.told) < count:
            self._more.clear()
            await self._more.wait()
        return self.told

    def _note(self, what: object) -> None:
        self.told.append(what)
        self._more.set()
