"""A transport that leaves a request in the kernel's buffer until it is answered, so that another daemon could serve it.

What comes is looked at (MSG_PEEK) and given to the protocol; it is consumed when the answer is written. Where that
cannot be, since the request is too large, or not alone, or does not come to its end, the transport consumes what came,
and from then on reads as any other does, until the exchange is over.

asyncio's own event loop tells of a socket as long as there is something in it, so that it would turn for nothing around
bytes that are left there. `Edges` tells once of each arrival.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable

from ndfd import platform
from ndfd.server.answering import consume
from ndfd.server.keeping import Kept

#: What is read at a time when it is consumed, as asyncio's own transport.
_READ_BYTES = 256 * 1024
#: Of what is written and not sent: above the first the protocol is told to pause, below the second to go on.
_HIGH_BYTES = 64 * 1024
_LOW_BYTES = 16 * 1024
#: The peer sends no more, or has gone.
_HUNG_UP = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class Edges:
    """Tells of each arrival on a socket once (EPOLLET of epoll(7)); one for all connections of a door."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._watched: dict[int, Callable[[int], None]] = {}
        self._loop.add_reader(self._epoll.fileno(), self._tell)

    def watch(self, fd: int, arrived: Callable[[int], None]) -> None:
        """`arrived` is told the events, as of epoll_ctl(2). What is there already is an arrival as well."""
        self._epoll.register(fd, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)
        self._watched[fd] = arrived

    def forget(self, fd: int) -> None:
        """Call before the descriptor is closed: the kernel goes on watching a socket that has another descriptor."""
        if self._watched.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def close(self) -> None:
        """Tells of nothing more."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _tell(self) -> None:
        for fd, events in self._epoll.poll(0):
            # Whoever was told before it may have had this one forgotten.
            if (arrived := self._watched.get(fd)) is not None:
                arrived(events)


class PeekedProtocol(asyncio.Protocol):
    """What the transport asks of its protocol, beside what every transport does."""

    @property
    def at_rest(self) -> bool:
        """Whether each request that began to come has come whole, and is answered whole."""
        raise NotImplementedError

    @property
    def in_request(self) -> bool:
        """Whether a request has begun to come, and has not come whole."""
        raise NotImplementedError

    @property
    def in_body(self) -> bool:
        """Whether it has come as far as its body, so that it is being served."""
        raise NotImplementedError


class PeekingTransport(asyncio.Transport):
    """One connection from its accept, or from its taking up, to `close`, `abort` or `let_go`."""

    def __init__(
        self,
        sock: socket.socket,
        kept: Kept,
        protocol: PeekedProtocol,
        edges: Edges,
        *,
        left_max_bytes: int,
        left_for_s: float,
    ) -> None:
        """No more than `left_max_bytes` of a request are left in the kernel, nor half a one for long after
        `left_for_s` in which nothing of it came. Tells the protocol of the connection."""
        super().__init__({"socket": sock})
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._kept = kept
        self._protocol = protocol
        self._edges = edges
        self._left_max_bytes = left_max_bytes
        self._left_for_s = left_for_s
        self._peeking = kept.resumable
        #: Bytes that the protocol has and the kernel as well.
        self._left = 0
        self._left_timer: asyncio.TimerHandle | None = None
        self._feeding = False
        self._paused = False
        self._holding = False
        self._retiring = False
        self._read_planned = False
        self._unsent: list[bytes | memoryview] = []
        self._unsent_bytes = 0
        self._flush_planned = False
        self._awaits_room = False
        self._pausing = False
        #: Nothing more is read, and nothing more taken to be written.
        self._closing = False
        #: `connection_lost` is on its way, or was told.
        self._ended = False
        sock.setblocking(False)
        if self._peeking:
            platform.resuming.prepare_peeking(sock)
        protocol.connection_made(self)
        if not self._closing:
            edges.watch(sock.fileno(), self._arrived)

    @property
    def resumable(self) -> bool:
        """Whether another daemon could serve the connection, were it not for a request that was touched."""
        return self._kept.resumable

    @property
    def settled(self) -> bool:
        """Whether another daemon could serve the connection from here, with the request that is under way."""
        return self._kept.resumable and self._kept.settled and not self._closing

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self._read_soon()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sends what is written in one turn of the loop together, unless it is much."""
        if self._closing or not data:
            return
        self._unsent.append(bytes(data))
        self._unsent_bytes += len(data)
        if self._unsent_bytes > _HIGH_BYTES:
            self._flush()
            self._press()
        elif not self._flush_planned:
            self._flush_planned = True
            self._loop.call_soon(self._flush_planned_one)

    def close(self) -> None:
        """Ends the connection when everything written is sent."""
        if self._closing:
            return
        self._closing = True
        self._edges.forget(self._sock.fileno())
        self._flush()
        if not self._unsent:
            self._end(None)

    def abort(self) -> None:
        """Ends the connection, whatever is not sent."""
        self._end(None)

    def let_go(self) -> None:
        """Ends what this process has of the connection, which is `settled`; its peer sees nothing of it."""
        self._end(None, let_go=True)

    def hold(self) -> None:
        """From now on no request is begun; what comes of those that are being served is read on."""
        self._holding = True

    def retire(self) -> None:
        """`hold`, and lets go as soon as no request is under way; only if it is `resumable`."""
        self._holding = self._retiring = True
        self._settle()

    def touch(self) -> None:
        """The request under way is about to do what must not be done twice."""
        self._kept.touch()

    def consume(self) -> None:
        """Leaves nothing of the request that is under way, and of what comes behind it, to another daemon."""
        self._kept.touch()
        if self._peeking:
            self._peeking = False
            if self._take():
                self._read_soon()

    def answered(self) -> None:
        """To be called by the protocol at the end of each answer."""
        if self._unsent:
            self._flush()
        else:
            self._settle()

    # Reading

    def _arrived(self, events: int) -> None:
        if events & _HUNG_UP and self._holding and not self._protocol.in_body:
            # What came before is not read any more.
            self._no_more_comes()
        else:
            self._read()
            if events & select.EPOLLHUP:
                # Nobody is there for an answer, and of the end behind what was read nothing else tells.
                self._read_soon()

    def _read_soon(self) -> None:
        if not self._read_planned:
            self._read_planned = True
            self._loop.call_soon(self._read_planned_one)

    def _read_planned_one(self) -> None:
        self._read_planned = False
        self._read()

    def _read(self) -> None:
        if self._closing or self._paused or (self._holding and not self._protocol.in_body):
            return
        try:
            if self._peeking:
                # One more than may be left: it shows that the request is too large.
                data = self._sock.recv(self._left_max_bytes + 1 - self._left, socket.MSG_PEEK)
            else:
                data = self._sock.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(error)
            return
        if not data:
            self._no_more_comes()
            return
        if self._peeking:
            self._left += len(data)
            if self._left > self._left_max_bytes:
                self.consume()
                if self._ended:
                    return
        else:
            # An arrival is told of once: it is read to its end, with a turn of the others in between.
            self._read_soon()
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        self._feeding = True
        try:
            self._protocol.data_received(data)
        except Exception as error:  # noqa: BLE001 - a fault with one connection must not keep the others from being told
            self._loop.call_exception_handler(
                {"message": "data_received() failed", "exception": error, "transport": self, "protocol": self._protocol}
            )
            self._end(error)
            return
        finally:
            self._feeding = False
        if not self._peeking:
            self._settle()
        elif self._left_timer is None and self._protocol.in_request:
            self._left_timer = self._loop.call_later(self._left_for_s, self._left_for_long, self._left)

    def _left_for_long(self, left: int) -> None:
        self._left_timer = None
        if self._closing or not self._peeking or not self._protocol.in_request:
            return
        if self._left == left:
            self.consume()
        else:
            self._left_timer = self._loop.call_later(self._left_for_s, self._left_for_long, self._left)

    def _no_more_comes(self) -> None:
        self._protocol.eof_received()
        self.close()

    def _take(self) -> bool:
        """Consumes what was looked at; False, and the connection ends, when that is not there any more."""
        left, self._left = self._left, 0
        try:
            consume(self._sock, left)
        except OSError as error:
            self._end(error)
            return False
        return True

    # Writing

    def _flush_planned_one(self) -> None:
        self._flush_planned = False
        self._flush()

    def _flush(self) -> None:
        if not self._unsent or self._awaits_room or self._ended:
            return
        if self._protocol.at_rest:
            self._send(self._send_whole)
        else:
            self.consume()
            if not self._ended:
                self._send(self._sock.send)

    def _send_whole(self, data: bytes | memoryview) -> int:
        """Of an answer that is the end of its exchange."""
        sent = self._kept.answer(bytes(data), (), self._left, self._left) if self._kept.settled else 0
        if sent == len(data):
            self._left = 0
        elif sent == 0:
            self._kept.touch()
            return self._sock.send(data)
        return sent

    def _send(self, send: Callable[[bytes | memoryview], int]) -> None:
        data = self._unsent[0] if len(self._unsent) == 1 else b"".join(self._unsent)
        try:
            sent = send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._end(error)
            return
        self._unsent_bytes = len(data) - sent
        self._unsent = [memoryview(data)[sent:]] if self._unsent_bytes else []
        self._await_room()
        if self._unsent:
            return
        if self._closing:
            self._end(None)
        else:
            self._settle()

    def _await_room(self) -> None:
        if self._unsent and not self._awaits_room:
            self.consume()
            if self._ended:
                return
            self._awaits_room = True
            self._loop.add_writer(self._sock.fileno(), self._send, self._sock.send)
        elif not self._unsent and self._awaits_room:
            self._awaits_room = False
            self._loop.remove_writer(self._sock.fileno())
        self._press()

    def _press(self) -> None:
        """Tells the protocol how much waits to be sent."""
        if not self._pausing and self._unsent_bytes > _HIGH_BYTES:
            self._pausing = True
            self._protocol.pause_writing()
        elif self._pausing and self._unsent_bytes <= _LOW_BYTES:
            self._pausing = False
            self._protocol.resume_writing()

    # The ends of exchanges, and of the connection

    def _settle(self) -> None:
        """Whenever an exchange may have come to its end."""
        if self._closing or self._feeding or self._unsent or not self._protocol.at_rest:
            return
        if not self._kept.settled:
            if not self._take():
                return
            self._kept.settle()
            self._peeking = self._kept.resumable
        if self._retiring:
            self.let_go()

    def _end(self, error: Exception | None, *, let_go: bool = False) -> None:
        if self._ended:
            return
        self._ended = self._closing = True
        self._unsent.clear()
        fd = self._sock.fileno()
        self._edges.forget(fd)
        if self._awaits_room:
            self._loop.remove_writer(fd)
        if self._left_timer is not None:
            self._left_timer.cancel()
        if let_go:
            self._kept.let_go()
        self._loop.call_soon(self._lost, error, let_go)

    def _lost(self, error: Exception | None, let_go: bool) -> None:
        try:
            self._protocol.connection_lost(error)
        finally:
            if not let_go:
                self._kept.touch()
                # Or the peer would see a reset for what is left there, instead of the end.
                self._take()
                self._kept.close()
