"""Accepts connections on a listening socket, with a pause whenever there is no room for more."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

_log = logging.getLogger(__name__)

#: How long no connection is accepted after the process ran out of descriptors; the listening socket stays readable
#: meanwhile, so that accepting at once again would only turn in a loop.
_PAUSE_S = 1.0
#: How long none is accepted after `full` said so.
_FULL_PAUSE_S = 0.005
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
#: Connections accepted in one turn of the loop.
_TOGETHER_MAX = 64


class Accepting:
    """Accepts from its making to `close`. The listening socket is its own from then on."""

    def __init__(
        self, listener: socket.socket, accepted: Callable[[socket.socket], None], full: Callable[[], bool]
    ) -> None:
        """`accepted` is given each connection, which is then its own; while `full`, none is accepted, and whoever
        connects waits. Needs a running event loop."""
        listener.setblocking(False)
        self._listener: socket.socket | None = listener
        self._accepted = accepted
        self._full = full
        self._pause: asyncio.TimerHandle | None = None
        self._resume()

    def close(self) -> None:
        """Accepts no more, and closes the listening socket; a second call does nothing."""
        if self._listener is None:
            return
        if self._pause is not None:
            self._pause.cancel()
        asyncio.get_running_loop().remove_reader(self._listener.fileno())
        self._listener.close()
        self._listener = None

    def _resume(self) -> None:
        assert self._listener is not None
        self._pause = None
        asyncio.get_running_loop().add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_TOGETHER_MAX):
            if self._listener is None:
                return
            if self._full():
                self._rest(_FULL_PAUSE_S)
                return
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _OUT_OF_RESOURCES:
                    raise
                _log.error("no connection can be accepted for %s s: %s", _PAUSE_S, error.strerror)
                self._rest(_PAUSE_S)
                return
            self._accepted(sock)

    def _rest(self, pause_s: float) -> None:
        assert self._listener is not None
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener.fileno())
        self._pause = loop.call_later(pause_s, self._resume)
