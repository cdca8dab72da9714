"""A Unix stream socket on asyncio that carries descriptors: what asyncio's own transports cannot do."""

from __future__ import annotations

import array
import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence

from ndfd.errors import ProtocolError
from ndfd.protocol.varlink import MAX_DESCRIPTORS
from ndfd.server.hangup import PeerGoneError

#: Of one read.
READ_BYTES = 64 * 1024
#: A plain number: the enumeration's `&` takes as long as a system call.
_TRUNCATED = int(socket.MSG_CTRUNC)
_ANCILLARY_BYTES = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)


@contextlib.contextmanager
def closing_all(descriptors: Iterable[int]) -> Iterator[None]:
    """Closes the descriptors at the end of the block."""
    try:
        yield
    finally:
        for fd in descriptors:
            os.close(fd)


#: Closes descriptors at the end of a block.
Closing = Callable[[Iterable[int]], contextlib.AbstractContextManager[None]]


class FdStream:
    """Reads and writes bytes with descriptors. One reader and one writer at a time."""

    _read_flags = socket.MSG_CMSG_CLOEXEC

    def __init__(self, sock: socket.socket, closing: Closing = closing_all) -> None:
        """`closing` closes what came and cannot be used."""
        sock.setblocking(False)
        self._closing = closing
        self.sock = sock
        self._loop = asyncio.get_running_loop()

    async def read(self, timeout_s: float | None) -> tuple[bytes, tuple[int, ...]]:
        """Up to 64 KiB and the descriptors that came with them; no bytes at the end of the stream.

        `PeerGoneError` when nothing comes for `timeout_s` or the connection breaks; `ProtocolError` when more
        descriptors came than one message may carry (those that did are closed).
        """
        while True:
            try:
                return self._read_now(READ_BYTES, self._read_flags)
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader, timeout_s)
            except OSError as error:
                raise PeerGoneError from error

    def _read_now(self, size_bytes: int, flags: int) -> tuple[bytes, tuple[int, ...]]:
        """As `read`, but OSError when nothing is there or the connection is broken."""
        data, ancillary, got, _ = self.sock.recvmsg(size_bytes, _ANCILLARY_BYTES, flags)
        return data, self._descriptors(ancillary, got)

    async def write(self, data: bytes, descriptors: Sequence[int], timeout_s: float, *, last: bool = False) -> None:
        """Writes all of `data`, the descriptors with its first byte; `last` when nothing more answers the same call.

        `PeerGoneError` when the peer is gone or takes nothing for `timeout_s`.
        """
        rest = memoryview(data)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        while rest:
            try:
                written = self.sock.sendmsg([rest], ancillary)
            except BlockingIOError:
                await self._ready(self._loop.add_writer, self._loop.remove_writer, timeout_s)
            except OSError as error:
                raise PeerGoneError from error
            else:
                rest = rest[written:]
                ancillary = []

    @property
    def left(self) -> bool:
        """Whether the call under way is left to another daemon, so that nothing may be said to it any more."""
        return False

    def leave(self) -> None:
        """From now on, what can be left to another daemon is: the door stops."""

    def touch(self) -> None:
        """Call before anything is done that must not be done twice."""

    def consume(self) -> None:
        """Call when a message has been dealt with, before the descriptors that came with it are closed."""

    def settle(self) -> None:
        """Call when all that was read is answered."""

    def close(self) -> None:
        """Closes the socket."""
        self.sock.close()

    async def _ready(self, add: Callable[..., None], remove: Callable[[int], bool], timeout_s: float | None) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        add(self.sock.fileno(), _settle, ready)
        try:
            async with asyncio.timeout(timeout_s):
                await ready
        except TimeoutError as error:
            raise PeerGoneError from error
        finally:
            remove(self.sock.fileno())

    def _descriptors(self, ancillary: Iterable[tuple[int, int, bytes]], flags: int) -> tuple[int, ...]:
        received = array.array("i")
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received.frombytes(payload[: len(payload) - len(payload) % received.itemsize])
        descriptors = tuple(received)
        if flags & _TRUNCATED:
            # The kernel has closed those that found no room.
            with self._closing(descriptors):
                raise ProtocolError(f"more than {MAX_DESCRIPTORS} descriptors came with one message")
        return descriptors


def _settle(ready: asyncio.Future[None]) -> None:
    # The loop may report the socket twice before the waiting task has run.
    if not ready.done():
        ready.set_result(None)
