"""How a daemon is asked to stop, and how urgently."""

from __future__ import annotations

import asyncio
import enum
import logging
import signal
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Urgency(enum.IntEnum):
    """Each asks for more haste than the one before."""

    NONE = 0
    #: Finish what runs, within the limit of time.
    DRAIN = 1
    #: Cancel what runs, then stop in order.
    FAST = 2
    #: Stop here and now.
    NOW = 3


class StopRequest:
    """Gathers the requests to stop: by signals, and by who calls `ask`. Urgency only grows."""

    def __init__(self, on_now: Callable[[], None]) -> None:
        """`on_now` is called at once for `Urgency.NOW`, whatever the daemon is doing."""
        self.urgency = Urgency.NONE
        self._on_now = on_now
        self._changed = asyncio.Event()

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """SIGTERM drains, SIGINT stops fast and when repeated at once."""
        loop.add_signal_handler(signal.SIGTERM, self.ask, Urgency.DRAIN, "SIGTERM")
        loop.add_signal_handler(signal.SIGINT, self._interrupt)

    def ask(self, urgency: Urgency, reason: str) -> None:
        """Asks for a stop; less haste than was asked before changes nothing."""
        if urgency <= self.urgency:
            return
        _log.info("stopping", extra={"reason": reason, "urgency": urgency.name.lower()})
        self.urgency = urgency
        self._changed.set()
        if urgency is Urgency.NOW:
            self._on_now()

    async def wait(self, urgency: Urgency) -> None:
        """Returns when a stop of at least this urgency was asked for."""
        while self.urgency < urgency:
            self._changed.clear()
            await self._changed.wait()

    def _interrupt(self) -> None:
        self.ask(Urgency.NOW if self.urgency >= Urgency.FAST else Urgency.FAST, "SIGINT")
