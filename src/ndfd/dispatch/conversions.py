"""What the loop needs of the pools, which are given to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from ndfd.model.conversion import Converted, ConvertOptions, OnPage


class Conversions(Protocol):
    """Who converts: the supervisor's pool."""

    async def convert(
        self,
        document_fd: int,
        options: ConvertOptions,
        *,
        uid: int,
        on_page: OnPage | None,
        background: Callable[[], bool],
        on_worker: Callable[[], None],
    ) -> Converted:
        """Converts the document behind `document_fd`, which stays the caller's and is not needed after the return.

        Calls `on_page` for each finished page, from the event loop, never after the return. Fails with the errors of
        `ndfd.errors`. `options` name a deadline. Cancelling the call ends the work and leaves nothing open. While it
        waits for a worker and `background` says so, it waits behind all others. Calls `on_worker` when a worker gets
        it, and perhaps again when a second one does.
        """


class Pools(Protocol):
    """Whose workers can be asked for."""

    def held(self, name: str | None) -> AbstractContextManager[Conversions]:
        """The pool of this name, or the default one, which goes on for as long as it is held, whatever a reload does.

        `PoolUnknown` names those that there are.
        """
