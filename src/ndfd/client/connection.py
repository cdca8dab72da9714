"""A blocking Varlink connection that carries descriptors."""

from __future__ import annotations

import array
import os
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ndfd.errors import NotPermitted, ProtocolError, Unavailable
from ndfd.protocol.varlink import (
    MAX_DESCRIPTORS,
    Call,
    Framer,
    Received,
    Reply,
    decode_reply,
    encode,
)

_READ_BYTES = 64 * 1024
_ANCILLARY_BYTES = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)


class Connection:
    """One connection, one call at a time.

    Only `close` may be called from another thread: it ends a call that waits there in `Unavailable`. After any failure
    of the transport the connection is closed, since replies could no longer be told apart.
    """

    def __init__(self, path: Path, timeout_s: float | None) -> None:
        self.path = path
        self._framer = Framer()
        self._received: deque[Received] = deque()
        self._in_call = threading.Lock()
        self._closed = False
        self._between_calls = True
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _connect(self._sock, path, timeout_s)
        except OSError as error:
            self._sock.close()
            raise self._refused(error) from error

    @property
    def closed(self) -> bool:
        """Whether it can carry no further call."""
        return self._closed

    def close(self) -> None:
        """Closes the connection, which cancels what it waits for in the daemon; any thread may do so, at any time."""
        self._closed = True
        # Wakes a thread that waits in recvmsg, which a mere close(2) does not.
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if self._in_call.acquire(blocking=False):
            self._release()
            self._in_call.release()

    def call(self, call: Call, descriptors: Sequence[int], timeout_s: float | None) -> Generator[Answered, None, None]:
        """Sends the call and gives its replies; take them to the end, or close the connection.

        `timeout_s` is how long each single reply may take. The descriptors of a reply belong to the receiver.
        """
        with self._exclusively():
            self._send(encode(call), descriptors, timeout_s)
            while True:
                received = self._receive(timeout_s)
                reply = self._reply_to(call, received)
                self._between_calls = not reply.continues
                yield reply, received.descriptors
                if self._between_calls:
                    return

    def _reply_to(self, call: Call, received: Received) -> Reply:
        try:
            reply = decode_reply(received.message)
        except ProtocolError:
            close_all(received.descriptors)
            raise
        if reply.continues and not call.more:
            close_all(received.descriptors)
            raise ProtocolError(f"the daemon at {self.path} sends several replies where one was asked for")
        return reply

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        if not self._in_call.acquire(blocking=False):
            raise RuntimeError("one call at a time: use one client per thread")
        try:
            if self._closed:
                raise self._ended()
            self._between_calls = False
            yield
        finally:
            # Not so when a call was left in its middle: what is still to come of it would answer the next one.
            self._closed = self._closed or not self._between_calls
            if self._closed:
                self._release()
            self._in_call.release()

    def _release(self) -> None:
        self._sock.close()
        close_all(self._framer.abandon())
        while self._received:
            close_all(self._received.popleft().descriptors)

    def _send(self, data: bytes, descriptors: Sequence[int], timeout_s: float | None) -> None:
        rest = memoryview(data)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        self._sock.settimeout(timeout_s)
        try:
            while rest:
                rest = rest[self._sock.sendmsg([rest], ancillary) :]
                ancillary = []
        except (BrokenPipeError, ConnectionResetError):
            # The daemon has closed; what it said before it did is still there to be read.
            return
        except OSError as error:
            raise self._broken(error, timeout_s) from error

    def _receive(self, timeout_s: float | None) -> Received:
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._received:
            if self._framer.error is not None:
                raise self._framer.error
            try:
                self._sock.settimeout(None if until is None else max(until - time.monotonic(), 0.001))
                data, ancillary, flags, _ = self._sock.recvmsg(_READ_BYTES, _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC)
            except OSError as error:
                raise self._broken(error, timeout_s) from error
            descriptors = _descriptors(ancillary)
            if flags & socket.MSG_CTRUNC:
                close_all(descriptors)
                raise ProtocolError(f"the daemon at {self.path} sends more than {MAX_DESCRIPTORS} descriptors")
            if not data:
                raise self._ended()
            self._received.extend(self._framer.feed(data, descriptors))
        return self._received.popleft()

    def _refused(self, error: OSError) -> Unavailable | NotPermitted:
        if isinstance(error, PermissionError):
            return NotPermitted(
                f"{self.path}: this user may not use the daemon's socket",
                hint=f"ask the administrator for membership in the socket's group: ls -l {self.path}",
            )
        return Unavailable(f"no daemon answers at {self.path}: {_reason(error)}")

    def _broken(self, error: OSError, timeout_s: float | None) -> Unavailable:
        if self._closed:
            return self._ended()
        if isinstance(error, TimeoutError):
            return Unavailable(
                f"the daemon at {self.path} did not answer for {timeout_s:g} s",
                hint="see what it does with `ndfd status`, or give it more time",
            )
        return Unavailable(f"the connection to the daemon at {self.path} broke: {_reason(error)}")

    def _ended(self) -> Unavailable:
        if self._closed:
            return Unavailable(
                f"the connection to {self.path} was closed by this program",
                hint="connect anew",
            )
        return Unavailable(
            f"the daemon at {self.path} closed the connection",
            hint="it was stopped or has died: see its log, or start one with `ndfd run`",
        )


Answered = tuple[Reply, tuple[int, ...]]


def _connect(sock: socket.socket, path: Path, timeout_s: float | None) -> None:
    # Not settimeout: a Unix socket that does not block fails at once (EAGAIN) while the listener's queue is full,
    # connect(2); a blocking one waits for a place, for as long as its send timeout says.
    seconds, fraction = divmod(timeout_s or 0.0, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(seconds), int(fraction * 1e6)))
    try:
        sock.connect(os.fspath(path))
    except BlockingIOError as error:
        raise TimeoutError(f"not accepted for {timeout_s:g} s") from error
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 0))


def close_all(descriptors: Sequence[int]) -> None:
    """Closes descriptors that nobody is going to use."""
    for fd in descriptors:
        os.close(fd)


def _descriptors(ancillary: Sequence[tuple[int, int, bytes]]) -> tuple[int, ...]:
    received = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            received.frombytes(payload[: len(payload) - len(payload) % received.itemsize])
    return tuple(received)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
