"""The connections of the HTTP door that outlive the daemon, where there is a manager that keeps them."""

from __future__ import annotations

import asyncio
import socket

from ndfd.server.accepting import Accepting
from ndfd.server.http_protocol import HttpProtocol, Shared
from ndfd.server.keeping import Keeper, Kept
from ndfd.server.peeking_transport import Edges, PeekedProtocol, PeekingTransport

#: The door's name with the keeper.
_DOOR = "http"


class KeptHttp:
    """Accepts from its making to `accept_no_more`, and serves to `close`. The listening socket is its own."""

    def __init__(self, shared: Shared, keeper: Keeper, listener: socket.socket) -> None:
        self._shared = shared
        self._keeper = keeper
        self._edges = Edges()
        self._accepting = Accepting(listener, self._accepted, full=lambda: keeper.behind)
        for sock, kept in keeper.take_up(_DOOR):
            self._serve(sock, kept, taken_up=True)

    def accept_no_more(self) -> None:
        """Closes the listening socket: whoever connects waits with the manager, which has it too."""
        self._accepting.close()

    def close(self) -> None:
        """When no connection is left."""
        self._edges.close()

    def _accepted(self, sock: socket.socket) -> None:
        self._serve(sock, self._keeper.keep(_DOOR, sock), taken_up=False)

    def _serve(self, sock: socket.socket, kept: Kept, *, taken_up: bool) -> None:
        limits = self._shared.limits
        protocol = KeptHttpProtocol(self._shared, taken_up=taken_up)
        PeekingTransport(
            sock,
            kept,
            protocol,
            self._edges,
            left_max_bytes=limits.left_max_bytes,
            left_for_s=limits.left_for_s,
        )


class KeptHttpProtocol(HttpProtocol, PeekedProtocol):
    """One connection that outlives the daemon, unless it ends in the midst of a request that was touched."""

    transport: PeekingTransport

    def __init__(self, shared: Shared, *, taken_up: bool) -> None:
        """`taken_up`: from a former daemon, where it may have had requests answered."""
        super().__init__(shared)
        self._taken_up = taken_up
        self._in_request = False
        self._retiring = False

    @property
    def at_rest(self) -> bool:
        return not (self._in_request or self._awaits_response())

    @property
    def in_request(self) -> bool:
        return self._in_request

    @property
    def in_body(self) -> bool:
        return self._in_request and not self._in_head

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._taken_up and not transport.is_closing():
            self._cancel_head_timer()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_request = True
        if self._awaits_response():
            # Of two requests that are in the kernel, the first could not be consumed alone.
            self.transport.consume()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_request = False

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.transport.answered()
        if self._retiring and self._in_request and not self._awaits_response():
            # The rest of a request that was answered before it came whole.
            self.transport.close()

    def touch(self) -> None:
        self.transport.touch()

    def hold(self) -> None:
        """No request is begun any more."""
        self.transport.hold()

    def retire(self) -> None:
        if not self.transport.resumable:
            super().retire()
        elif self.at_rest or self._awaits_response():
            # The next daemon serves on: the answer does not say that it is the last.
            self._retiring = True
            self.transport.retire()
        elif self.transport.settled:
            self.transport.let_go()
        else:
            self.transport.close()

    def abandon(self) -> None:
        if self.transport.settled:
            self.transport.let_go()
        elif self._awaits_response():
            self.shutdown()
