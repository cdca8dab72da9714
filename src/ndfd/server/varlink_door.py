"""The Varlink door: accepts connections on a socket handed in, and serves each in a task of its own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import logging
import socket
from collections import Counter

from ndfd import platform
from ndfd.errors import Busy
from ndfd.protocol.varlink_interfaces import ServiceInfo
from ndfd.server.generation import Serving
from ndfd.server.keeping import Keeper, Kept
from ndfd.server.kept_stream import KeptStream
from ndfd.server.stalling import Lingering
from ndfd.server.stream import FdStream
from ndfd.server.varlink_calls import VarlinkCalls
from ndfd.server.varlink_connection import Connection
from ndfd.server.varlink_exchange import protocol_failure

_log = logging.getLogger(__name__)

#: By this name its connections are kept.
_NAME = "varlink"

#: How long no connection is accepted after the process ran out of descriptors; the listening socket stays readable
#: meanwhile, so that accepting at once again would only turn in a loop.
_ACCEPT_PAUSE_S = 1.0
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class VarlinkDoor:
    """Listens from `start` to `stop`. The listening socket is the door's from then on; its file is not."""

    def __init__(self, serving: Serving, service: ServiceInfo, keeper: Keeper | None = None) -> None:
        """`keeper` has connections outlive the daemon; None: nobody keeps them."""
        self._serving = serving
        self._keeper = keeper or Keeper()
        self._calls = VarlinkCalls(service)
        self._lingering = Lingering()
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._per_user: Counter[int] = Counter()
        self._listener: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self._connections)

    def start(self, listener: socket.socket) -> None:
        """Begins to accept, and serves the connections of a former daemon; needs a running event loop."""
        listener.setblocking(False)
        self._listener = listener
        self._resume()
        for sock, kept in self._keeper.take_up(_NAME):
            self._welcome(sock, kept)

    def pause(self) -> None:
        """Accepts no more, begins no more calls, and ends the connections without one; calls in progress go on.

        A connection that is kept is not closed, but left to the next daemon with what waits in it.
        """
        self._close_listener()
        for task, connection in self._connections.items():
            if not connection.finish():
                task.cancel()

    async def stop(self, grace_s: float) -> None:
        """Pauses, lets calls in progress end for `grace_s`, then cancels them and ends what is left.

        Of a connection that is kept, a call of which nothing is answered is left to the next daemon without a word.
        """
        self.pause()
        tasks = list(self._connections)
        if tasks:
            await asyncio.wait(tasks, timeout=grace_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _resume(self) -> None:
        self._pause = None
        if self._listener is not None:
            asyncio.get_running_loop().add_reader(self._listener.fileno(), self._accept)

    def _close_listener(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            if error.errno not in _OUT_OF_RESOURCES:
                raise
            _log.error(
                "no connection can be accepted for %s s: %s",
                _ACCEPT_PAUSE_S,
                error.strerror,
            )
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._listener.fileno())
            self._pause = loop.call_later(_ACCEPT_PAUSE_S, self._resume)
            return
        self._welcome(sock, None)

    def _welcome(self, sock: socket.socket, kept: Kept | None) -> None:
        """`kept` is a former daemon's connection."""
        try:
            peer = platform.peer_identity(sock)
        except OSError as error:
            _log.warning("a connection whose peer the kernel does not name is closed: %s", error)
            (kept or Kept(sock)).close()
            return
        generation = self._serving.current
        if (
            len(self._connections) >= generation.door.connections_max
            or self._per_user[peer.uid] >= generation.door.connections_per_user_max
        ):
            _refuse(sock, peer.uid, generation.number)
            (kept or Kept(sock)).close()
            return
        kept = kept or self._keeper.keep(_NAME, sock)
        closing = functools.partial(self._lingering.closing, uid=peer.uid)
        stream = KeptStream(sock, kept, closing) if kept.resumable else FdStream(sock, closing)
        connection = Connection(stream, peer, self._calls, self._serving, self._lingering)
        task = asyncio.get_running_loop().create_task(connection.run(), name=f"varlink uid={peer.uid} pid={peer.pid}")
        self._connections[task] = connection
        self._per_user[peer.uid] += 1
        task.add_done_callback(self._goodbye)

    def _goodbye(self, task: asyncio.Task[None]) -> None:
        connection = self._connections.pop(task)
        connection.close()
        self._per_user[connection.peer.uid] -= 1
        self._per_user += Counter()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error(
                "a connection of user %d ended in a fault",
                connection.peer.uid,
                exc_info=error,
            )


def _refuse(sock: socket.socket, uid: int, generation: int) -> None:
    _log.warning("a connection of user %d is closed: too many are open", uid)
    answer = protocol_failure(
        Busy(
            "too many connections are open",
            hint="close idle connections, or try again later",
        ),
        generation,
    )
    with contextlib.suppress(OSError):
        # The first reply the peer will read; a new socket's buffer takes it without waiting.
        sock.setblocking(False)
        sock.send(answer)
