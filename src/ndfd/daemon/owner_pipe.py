"""The pipe from the program that owns this daemon: a client's private daemon has one, and the child of a service host.

Lines: `drain` lets running work end and stops, `reload` reads the configuration again; others are ignored, so that an
owner may be newer than its daemon. The pipe's end, also by the owner's death, stops fast.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from ndfd.daemon.stopping import StopRequest, Urgency

_log = logging.getLogger(__name__)

#: What an owner says is a word. Of one that ends no line, no more is kept than this.
_LINE_MAX_BYTES = 4096


class OwnerPipe:
    """Listens for the length of a loop."""

    def __init__(self, fd: int, stop: StopRequest, ask_reload: Callable[[str], None]) -> None:
        """`ask_reload` is given the word for who asks."""
        self._fd = fd
        self._stop = stop
        self._ask_reload = ask_reload
        self._rest = b""

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on. What was said before is heard too: it lies in the pipe."""
        loop.add_reader(self._fd, self._owner_speaks, loop)

    def _owner_speaks(self, loop: asyncio.AbstractEventLoop) -> None:
        said = os.read(self._fd, _LINE_MAX_BYTES)
        if not said:
            loop.remove_reader(self._fd)
            self._stop.ask(Urgency.FAST, "the owner is gone")
            return
        *lines, rest = (self._rest + said).split(b"\n")
        self._rest = rest[-_LINE_MAX_BYTES:]
        for line in lines:
            self._obey(line.strip())

    def _obey(self, line: bytes) -> None:
        if line == b"drain":
            self._stop.ask(Urgency.DRAIN, "the owner asks")
        elif line == b"reload":
            self._ask_reload("the owner")
        else:
            _log.debug("the owner said what is not known", extra={"line": line.decode("utf-8", "replace")})
