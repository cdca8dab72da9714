"""Reloads that are asked for without waiting for the answer: by SIGHUP, or by a file that changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ndfd.errors import NdfdError

_log = logging.getLogger(__name__)


class ReloadRequests:
    """Has one reload done after the other; all that are asked for during one are served by the next."""

    def __init__(self, reload: Callable[[str], Awaitable[object]]) -> None:
        """`reload` is told who asked, and says itself what came of it."""
        self._reload = reload
        self._reason: str | None = None
        self._asked = asyncio.Event()

    def ask(self, reason: str) -> None:
        """Returns at once."""
        self._reason = reason
        self._asked.set()

    async def serve(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            assert self._reason is not None
            try:
                await self._reload(self._reason)
            except NdfdError as error:
                # The reload has logged its own refusal; what is left is a daemon that stops meanwhile.
                _log.debug("no reload: %s", error)
            except Exception:  # noqa: BLE001 - the next reload must still be served
                _log.exception("a reload failed in a way that it should not")
