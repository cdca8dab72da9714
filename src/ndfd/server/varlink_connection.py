"""One connection of the Varlink door: reads calls, has each answered before the next is looked at."""

from __future__ import annotations

import asyncio
import functools
from collections import deque

from ndfd.errors import Busy, ProtocolError
from ndfd.platform import Peer
from ndfd.protocol.varlink import Framer, Received, decode_call
from ndfd.server.generation import Serving
from ndfd.server.hangup import PeerGoneError
from ndfd.server.stalling import Lingering
from ndfd.server.stream import FdStream
from ndfd.server.varlink_calls import VarlinkCalls
from ndfd.server.varlink_exchange import Exchange, protocol_failure


class Connection:
    """Serves one peer from `run`'s start to its end; `close` it then."""

    def __init__(
        self,
        stream: FdStream,
        peer: Peer,
        calls: VarlinkCalls,
        serving: Serving,
        lingering: Lingering,
    ) -> None:
        self.peer = peer
        self._lingering = lingering
        self._closing = functools.partial(lingering.closing, uid=peer.uid)
        self._stream = stream
        self._calls = calls
        self._serving = serving
        self._framer = Framer(serving.current.door.message_max_bytes)
        self._waiting: deque[Received] = deque()
        self._in_call = False
        self._finishing = False

    def finish(self) -> bool:
        """Lets the call in progress be the last; False when there is none, and nothing would be lost by a cancel.

        From now on, a call is left to another daemon when that one can serve it, and so is the connection.
        """
        self._finishing = True
        self._stream.leave()
        return self._in_call

    async def run(self) -> None:
        """Until the peer is gone, breaks the protocol, or `finish` was called."""
        try:
            while not self._finishing and await self._serve_next():
                # Answers that never wait must not keep the other connections waiting.
                await asyncio.sleep(0)
        except PeerGoneError:
            pass

    def close(self) -> None:
        """Closes the socket, or leaves it to another daemon, and closes every descriptor that no call took.

        Not `run`'s own to do: a task that is cancelled before its first step never enters it.
        """
        stray = [
            *self._framer.abandon(),
            *(fd for received in self._waiting for fd in received.descriptors),
        ]
        with self._closing(stray):
            self._stream.close()

    async def _serve_next(self) -> bool:
        try:
            if not await self._read():
                return False
            exchange = self._begin(self._waiting.popleft())
        except (Busy, ProtocolError) as error:
            generation = self._serving.current
            await self._stream.write(protocol_failure(error, generation.number), (), generation.door.stall_s)
            return False
        self._in_call = True
        try:
            with self._closing(exchange.descriptors):
                try:
                    await self._calls.serve(exchange)
                finally:
                    if exchange.answer.ended or not self._stream.left:
                        self._stream.consume()
        finally:
            self._in_call = False
        if not self._waiting and not self._framer.in_message:
            self._stream.settle()
        return True

    def _begin(self, received: Received) -> Exchange:
        try:
            call = decode_call(received.message)
        except ProtocolError:
            with self._closing(received.descriptors):
                raise
        return Exchange(self.peer, call, received.descriptors, self._stream, self._serving.current)

    async def _read(self) -> bool:
        """Waits for a whole message; False at the end of the stream, `ProtocolError` when the framing is broken."""
        while not self._waiting:
            if self._framer.error is not None:
                raise self._framer.error
            if self._lingering.too_many(self.peer.uid):
                raise Busy("too many descriptors of this user are on file systems that do not answer")
            stall_s = self._serving.current.door.stall_s if self._framer.in_message else None
            data, descriptors = await self._stream.read(stall_s)
            if data:
                self._waiting.extend(self._framer.feed(data, descriptors))
            elif self._framer.in_message:
                self._framer.end()
            else:
                return False
        return True
