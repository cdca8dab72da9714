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

_READ_BYTES = 64 * 1024
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
                data, ancillary, flags, _ = self.sock.recvmsg(_READ_BYTES, _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader, timeout_s)
            except OSError as error:
                raise PeerGoneError from error
            else:
                return data, self._descriptors(ancillary, flags)

    async def write(self, data: bytes, descriptors: Sequence[int], timeout_s: float) -> None:
        """Writes all of `data`, the descriptors with its first byte.

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
        if flags & socket.MSG_CTRUNC:
            # The kernel has closed those that found no room.
            with self._closing(descriptors):
                raise ProtocolError(f"more than {MAX_DESCRIPTORS} descriptors came with one message")
        return descriptors


def _settle(ready: asyncio.Future[None]) -> None:
    # The loop may report the socket twice before the waiting task has run.
    if not ready.done():
        ready.set_result(None)
