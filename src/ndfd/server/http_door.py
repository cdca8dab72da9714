"""The HTTP door: uvicorn's HTTP/1.1 protocol on a socket handed in.

uvicorn's own `Server` is not used: it would take the process's signal handlers and wake ten times a second to look at
a flag. Its protocol class needs only a loaded `Config` and a `ServerState`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ndfd.server.generation import Serving
from ndfd.server.http_protocol import HttpDoorLimits, HttpProtocol, Shared
from ndfd.server.keeping import Keeper
from ndfd.server.kept_http import KeptHttp, KeptHttpProtocol

__all__ = ["BACKLOG", "HttpDoor", "HttpDoorLimits"]

#: Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn, 4096 by default.
BACKLOG = 1024


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
        """`remote`: its listeners are on the network, where the kernel does not say who calls.

        With a `keeper` that keeps, the connections of a local listener outlive the door.
        """
        self.serving = serving
        limits = limits or HttpDoorLimits()
        config = uvicorn.Config(
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
            timeout_keep_alive=limits.keep_alive_s,
        )
        config.load()
        self._shared = Shared(config, serving, limits, remote)
        self.state = self._shared.state
        self._keeper = keeper if keeper is not None and keeper.keeps and not remote else None
        self._server: asyncio.Server | None = None
        self._kept: KeptHttp | None = None

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self.state.connections)

    async def start(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Begins to accept, and to serve the connections of a former daemon. Without TLS where they are kept."""
        if self._keeper is not None:
            assert tls is None
            self._kept = KeptHttp(self._shared, self._keeper, listener)
            return
        loop = asyncio.get_running_loop()
        handshake_s = None if tls is None else self._shared.limits.handshake_timeout_s
        self._server = await loop.create_server(
            # asyncio calls listen(2) again, with this.
            lambda: HttpProtocol(self._shared),
            sock=listener,
            backlog=BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=handshake_s,
        )

    def accept_no_more(self) -> None:
        """Closes the listening socket; requests go on, and connections that are open stay until `stop`."""
        if self._server is not None:
            self._server.close()
        if self._kept is not None:
            self._kept.accept_no_more()

    def pause(self) -> None:
        """Where connections are kept: accepts no more and begins no request, at once; `stop` is to follow.

        Nobody is refused: who connects waits with the manager's listener, and requests wait in their connections.
        """
        if self._kept is not None:
            self._kept.accept_no_more()
            for connection in self._protocols():
                if isinstance(connection, KeptHttpProtocol):
                    connection.hold()

    async def stop(self, grace_s: float) -> None:
        """Accepts no more, lets requests in progress end for `grace_s`, then cancels them and drops what is left.

        A connection that is kept is let go as soon as no request is in progress on it; and so is one with a request
        that is cancelled, unless that was touched: the next daemon serves it.
        """
        if self._server is None and self._kept is None:
            return
        loop = asyncio.get_running_loop()
        end = loop.time() + grace_s
        self._shared.stopping = True
        # `wait_closed` does not come next: from Python 3.12 on it waits for TLS handshakes that were only begun.
        self.accept_no_more()
        for connection in self._protocols():
            connection.retire()
        # A pipelined request begins when the one before it has ended.
        while self.state.tasks and (left_s := end - loop.time()) > 0:
            await asyncio.wait(list(self.state.tasks), timeout=left_s)
        for connection in self._protocols():
            connection.abandon()
        tasks = list(self.state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # A request has ended when its answer is written, and the peer may not have taken all of it.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(end - loop.time(), self._shared.limits.flush_s)):
                await self._shared.in_use.free()
        for connection in self._protocols():
            connection.transport.abort()
        await self._shared.in_use.free()
        await self._put_away()

    async def _put_away(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        if self._server is None:
            return
        if sys.version_info >= (3, 13):
            # TLS handshakes that were only begun. An older Python leaves them to `head_timeout_s`.
            self._server.abort_clients()
            await self._server.wait_closed()
        self._server = None

    def _protocols(self) -> list[HttpProtocol]:
        # uvicorn's annotation is of every protocol that it has.
        return [connection for connection in self.state.connections if isinstance(connection, HttpProtocol)]
