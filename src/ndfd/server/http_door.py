"""The HTTP door: uvicorn's HTTP/1.1 protocol on a socket handed in.

uvicorn's own `Server` is not used: it would take the process's signal handlers and wake ten times a second to look at
a flag. Its protocol class needs only a loaded `Config` and a `ServerState`.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import http
import logging
import socket
import ssl
import sys
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from ndfd import platform
from ndfd.errors import Busy, NdfdError, UsageError
from ndfd.server.access import REMOTE
from ndfd.server.generation import Serving
from ndfd.server.http_problem import problem_response
from ndfd.server.http_request import GENERATION_HEADER
from ndfd.server.keeping import Keeper
from ndfd.server.occupancy import Held

_log = logging.getLogger(__name__)

#: Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn, 4096 by default.
BACKLOG = 1024


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


class HttpDoor:
    """Serves from `start` to `stop`. The listening socket is the door's from then on; its file is not."""

    def __init__(
        self,
        app: ASGIApp,
        serving: Serving,
        limits: HttpDoorLimits | None = None,
        *,
        remote: bool = False,
        keeper: Keeper | None = None,
    ) -> None:
        """`remote`: its listeners are on the network, where the kernel does not say who calls."""
        self.serving = serving
        self.limits = limits or HttpDoorLimits()
        self.remote = remote
        self.state = ServerState()
        self.in_use = Held()
        #: Set to the end by `stop`: a connection whose TLS handshake ends after that is not served.
        self.stopping = False
        self.config = uvicorn.Config(
            app,
            http=HttpToolsProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=self.limits.keep_alive_s,
        )
        self.config.load()
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self.state.connections)

    async def start(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Begins to accept."""
        loop = asyncio.get_running_loop()
        handshake_s = None if tls is None else self.limits.handshake_timeout_s
        self._server = await loop.create_server(
            # asyncio calls listen(2) again, with this.
            lambda: _Protocol(self),
            sock=listener,
            backlog=BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=handshake_s,
        )

    def accept_no_more(self) -> None:
        """Closes the listening socket; requests go on, and connections that are open stay until `stop`."""
        if self._server is not None:
            self._server.close()

    def pause(self) -> None:
        """Accepts no more."""
        self.accept_no_more()

    async def stop(self, grace_s: float) -> None:
        """Accepts no more, lets requests in progress end for `grace_s`, then cancels them and drops what is left."""
        if self._server is None:
            return
        loop = asyncio.get_running_loop()
        end = loop.time() + grace_s
        self.stopping = True
        # `wait_closed` does not come next: from Python 3.12 on it waits for TLS handshakes that were only begun.
        self._server.close()
        for connection in list(self.state.connections):
            connection.shutdown()
        # A pipelined request begins when the one before it has ended.
        while self.state.tasks and (left_s := end - loop.time()) > 0:
            await asyncio.wait(list(self.state.tasks), timeout=left_s)
        tasks = list(self.state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # A request has ended when its answer is written, and the peer may not have taken all of it.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(end - loop.time(), self.limits.flush_s)):
                await self.in_use.free()
        for connection in list(self.state.connections):
            connection.transport.abort()
        await self.in_use.free()
        if sys.version_info >= (3, 13):
            # TLS handshakes that were only begun. An older Python leaves them to `head_timeout_s`.
            self._server.abort_clients()
            await self._server.wait_closed()
        self._server = None


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, told by the kernel who the peer is, and with limits of its own."""

    def __init__(self, door: HttpDoor) -> None:
        super().__init__(door.config, door.state, app_state={})
        self._door = door
        self._limits = door.limits
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._presence = contextlib.ExitStack()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._presence.enter_context(self._door.in_use)
        if self._door.stopping:
            transport.abort()
            return
        if self._door.remote:
            peer = REMOTE
        else:
            try:
                peer = platform.peer_identity(transport.get_extra_info("socket"))
            except OSError as error:
                _log.warning("a connection whose peer the kernel does not name is closed: %s", error)
                transport.abort()
                return
        # uvicorn copies it into the scope of each request.
        self.app_state = {"peer": peer, "abort": transport.abort}
        if len(self.connections) > self._door.serving.current.door.connections_max:
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
        generation = str(self._door.serving.current.number)
        response = problem_response(error, status, {"Connection": "close", GENERATION_HEADER: generation})
        lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}".encode()]
        lines += [name + b": " + value for name, value in response.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        self.transport.close()
