"""uvicorn's HTTP/1.1 protocol, told by the kernel who the peer is, and with limits of its own."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import http
import logging
from collections import Counter
from dataclasses import dataclass, field

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from ndfd import platform
from ndfd.errors import Busy, NdfdError, UsageError
from ndfd.platform import Peer
from ndfd.server.access import REMOTE
from ndfd.server.generation import Serving
from ndfd.server.http_problem import problem_response
from ndfd.server.http_request import GENERATION_HEADER
from ndfd.server.occupancy import Held

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HttpDoorLimits:
    """What the door allows its callers, beside what the configuration says (`DoorLimits`)."""

    #: A connection is closed this long after its last answer. Whole seconds: uvicorn's setting.
    keep_alive_s: int = 60
    #: A connection without a first request, or with half a request's head, is closed after this time.
    head_timeout_s: float = 30.0
    #: A TLS handshake is given up after this time: until it is done, the connection is not counted.
    handshake_timeout_s: float = 5.0
    #: Request line and headers together. llhttp itself sets no limit.
    head_max_bytes: int = 64 * 1024
    #: A door that stops waits this long, within its grace, for the ends of answers to be taken and for TLS's farewell.
    flush_s: float = 5.0
    #: Of a connection that is kept: a larger request is consumed as it comes, and ends with the daemon. Linux lets some
    #: 200 KB wait in a Unix socket (net.core.wmem_default), in which each small write counts for up to 1 KB.
    left_max_bytes: int = 64 * 1024
    #: Of a connection that is kept: so is half a request of which nothing more comes for this time, because its sender
    #: may be waiting for room in the socket.
    left_for_s: float = 0.1


@dataclass(slots=True)
class Shared:
    """What the connections of one door have in common."""

    config: uvicorn.Config
    serving: Serving
    limits: HttpDoorLimits
    #: Its listeners are on the network, where the kernel does not say who calls.
    remote: bool
    state: ServerState = field(default_factory=ServerState)
    in_use: Held = field(default_factory=Held)
    #: Connections by their users' numbers; none of those from the network.
    of_users: Counter[int] = field(default_factory=Counter)
    #: Set to the end by the door's `stop`: a connection whose TLS handshake ends after that is not served.
    stopping: bool = False

    def forget_one_of(self, uid: int) -> None:
        """A connection of this user has ended."""
        self.of_users[uid] -= 1
        if not self.of_users[uid]:
            del self.of_users[uid]


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared.config, shared.state, app_state={})
        self._shared = shared
        self._limits = shared.limits
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._presence = contextlib.ExitStack()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._presence.enter_context(self._shared.in_use)
        if self._shared.stopping:
            transport.abort()
            return
        if self._shared.remote:
            peer = REMOTE
        else:
            try:
                peer = platform.peer_identity(transport.get_extra_info("socket"))
            except OSError as error:
                _log.warning("a connection whose peer the kernel does not name is closed: %s", error)
                transport.abort()
                return
        # uvicorn copies it into the scope of each request.
        self.app_state = {"peer": peer, "abort": transport.abort, "touch": self.touch}
        if self._is_one_too_many(peer):
            self._refuse(
                Busy(
                    "too many connections are open",
                    hint="close idle connections, or try again later",
                ),
                503,
            )
            return
        self._arm_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head_timer()
        super().connection_lost(exc)
        self._presence.close()

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_head or self._head_bytes == 0:
            return
        if self._head_bytes > self._limits.head_max_bytes:
            self._refuse(
                UsageError(f"the request's head has more than {self._limits.head_max_bytes} bytes"),
                431,
            )
        elif self._head_timer is None:
            self._arm_head_timer()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._cancel_head_timer()
        # RFC 9110 section 6.6.1: a server with a clock sends Date.
        self.server_state.default_headers = [(b"date", email.utils.formatdate(usegmt=True).encode())]
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def send_400_response(self, msg: str) -> None:
        self._refuse(UsageError("the request is not HTTP/1.1", hint="see /openapi.json"), 400)

    def touch(self) -> None:
        """Called before something is done that must not be done twice."""

    def retire(self) -> None:
        """The door stops: the request under way is the last, and without one the connection ends."""
        self.shutdown()

    def abandon(self) -> None:
        """The door stops, and cancels the request that is still under way."""

    def _is_one_too_many(self, peer: Peer) -> bool:
        """Of all connections of the door, of which this one is counted already, or of its user's."""
        limits = self._shared.serving.current.door
        if peer != REMOTE:
            self._shared.of_users[peer.uid] += 1
            self._presence.callback(self._shared.forget_one_of, peer.uid)
            if self._shared.of_users[peer.uid] > limits.connections_per_user_max:
                return True
        return len(self.connections) > limits.connections_max

    def _arm_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self._limits.head_timeout_s, self._head_overdue)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_overdue(self) -> None:
        self._head_timer = None
        if self._awaits_response():
            # Half a request waits behind one that is being answered: that one comes first.
            self._arm_head_timer()
        else:
            self.transport.close()

    def _awaits_response(self) -> bool:
        # uvicorn's annotation leaves out that it is None before the first request.
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _refuse(self, error: NdfdError, status: int) -> None:
        """Answers where there is no request that could be, and closes."""
        generation = str(self._shared.serving.current.number)
        response = problem_response(error, status, {"Connection": "close", GENERATION_HEADER: generation})
        lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}".encode()]
        lines += [name + b": " + value for name, value in response.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        self.transport.close()
