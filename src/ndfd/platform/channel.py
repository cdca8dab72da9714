"""A channel between two processes of ours: whole messages with descriptors, over a connected SOCK_SEQPACKET socket.

The receiver bounds what a sender can make it hold: a message longer than agreed or with more descriptors than agreed is
refused, and every descriptor that came with it is closed.
"""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Sequence
from typing import NamedTuple

from ndfd.errors import WorkerProtocolError


class Message(NamedTuple):
    """One message as it came."""

    data: bytes
    #: In the order sent, close-on-exec; the receiver owns them.
    descriptors: tuple[int, ...]

    def close_descriptors(self) -> None:
        """Closes what came with a message that nobody wants."""
        for fd in self.descriptors:
            os.close(fd)


class Channel:
    """One end. Blocks or not as its socket does; the errors of a socket pass through as OSError."""

    def __init__(self, sock: socket.socket, frame_max_bytes: int, descriptors_max: int) -> None:
        self._sock = sock
        # Filled anew by each receive, so that a sender cannot make this process allocate.
        self._buffer = memoryview(bytearray(frame_max_bytes))
        self._descriptors_max = descriptors_max
        self._ancillary_bytes = socket.CMSG_SPACE(descriptors_max * array.array("i").itemsize)

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._sock.fileno()

    def setblocking(self, blocking: bool) -> None:
        """Whether `send` and `receive` wait, or raise BlockingIOError."""
        self._sock.setblocking(blocking)

    def send(self, data: bytes, descriptors: Sequence[int] = ()) -> None:
        """Sends one message whole, with duplicates of the descriptors. BrokenPipeError when the other end is closed."""
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        self._sock.sendmsg([data], ancillary)

    def receive(self) -> Message | None:
        """The next message; None when the other end is closed and all it sent was received.

        `WorkerProtocolError` for a message beyond the limits. An empty message looks like the end (recv(2)), and no
        side sends one.
        """
        size, ancillary, flags = self._receive()
        descriptors = _descriptors(ancillary)
        # CMSG_SPACE rounds up, so that one descriptor too many may fit without MSG_CTRUNC.
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC) or len(descriptors) > self._descriptors_max or size == 0:
            Message(b"", descriptors).close_descriptors()
            if size:
                raise WorkerProtocolError("a frame is too long or has too many descriptors")
            return None
        return Message(bytes(self._buffer[:size]), descriptors)

    def move_to(self, number: int) -> None:
        """Gives the socket this descriptor number; what had it is closed."""
        before = self._sock.detach()
        os.dup2(before, number, inheritable=False)
        if before != number:
            os.close(before)
        self._sock = socket.socket(fileno=number)

    def detach(self) -> int:
        """Gives up the socket without closing it; its descriptor."""
        return self._sock.detach()

    def close(self) -> None:
        """Closes this end; further calls do nothing."""
        self._sock.close()

    def _receive(self) -> tuple[int, list[tuple[int, int, bytes]], int]:
        try:
            return self._receive_once()
        except ConnectionResetError:
            # Said once when the other end closed with messages unread; what it had sent before is still there
            # (unix_release_sock in net/unix/af_unix.c).
            return self._receive_once()

    def _receive_once(self) -> tuple[int, list[tuple[int, int, bytes]], int]:
        size, ancillary, flags, _ = self._sock.recvmsg_into(
            [self._buffer], self._ancillary_bytes, socket.MSG_CMSG_CLOEXEC
        )
        return size, ancillary, flags


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, ...]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            # A truncated message may end within a descriptor's number.
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return tuple(found)
