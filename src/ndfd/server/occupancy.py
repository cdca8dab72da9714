"""Who has work going on: over all generations for the quotas, and on one pool until it may be stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

from ndfd.errors import Busy


class Occupancy:
    """The conversions of one daemon that were taken on and have not ended."""

    def __init__(self) -> None:
        self._running: Counter[int] = Counter()
        #: From now on nothing more is taken on; what was, goes on.
        self.closed = False
        #: The daemon ends: its configuration does not change any more. It may still take on what has come before.
        self.stopping = False

    @property
    def conversions(self) -> int:
        """Of all users."""
        return self._running.total()

    def of_user(self, uid: int) -> int:
        """Of one user."""
        return self._running[uid]

    @contextlib.contextmanager
    def one_more(self, uid: int) -> Iterator[None]:
        """Counts one for the length of the block."""
        self._running[uid] += 1
        try:
            yield
        finally:
            self._running[uid] -= 1
            # Keeps the table as small as the number of users at work.
            self._running += Counter()


class Arriving:
    """Bytes of documents that are on their way in, for which the daemon has no place yet but its memory."""

    def __init__(self) -> None:
        self._bytes: Counter[int] = Counter()

    @contextlib.contextmanager
    def one_more(self, uid: int, document_max_bytes: int) -> Iterator[Callable[[int], None]]:
        """Gives what counts bytes before they are taken, for the length of the block.

        `Busy` when they would be more than one document of this user may have, or two of all users.
        """
        counted = 0

        def count(size_bytes: int) -> None:
            nonlocal counted
            mine, every = self._bytes[uid] + size_bytes, self._bytes.total() + size_bytes
            if mine > document_max_bytes or every > 2 * document_max_bytes:
                raise Busy(
                    "too many bytes of documents are on their way into the daemon",
                    hint="try again in a moment, or pass descriptors over the Varlink socket: they take no memory",
                )
            self._bytes[uid] += size_bytes
            counted += size_bytes

        try:
            yield count
        finally:
            self._bytes[uid] -= counted
            self._bytes += Counter()


class Held:
    """Counts who still needs something that is to be put away, such as the pool of a former generation."""

    def __init__(self) -> None:
        self._count = 0
        self._free = asyncio.Event()
        self._free.set()

    def __enter__(self) -> None:
        self._count += 1
        self._free.clear()

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if self._count == 0:
            self._free.set()

    async def free(self) -> None:
        """Returns when nobody needs it."""
        await self._free.wait()
