"""Answers a request and consumes it as one step, of which the next process can tell how far a killed one came.

A socket does not say what was sent over it. So the answer goes through a pipe (splice(2)), and what is left in the pipe
says it; then the request goes through the same pipe on its way to nowhere. The manager keeps the pipe, and the notes
are in memory that it keeps as well. A system call does its work whole before SIGKILL takes effect, so every moment is
one of those that `recovered` knows.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Sequence
from enum import Enum

#: Words of notes that a pipe needs.
NOTES = 4
_COOKIE, _REQUEST_BYTES, _ANSWER_BYTES, _CONSUMING = range(NOTES)


class Standing(Enum):
    """What a killed process left of a connection."""

    #: Nothing was sent: the request waits.
    UNANSWERED = "unanswered"
    #: All was sent, and the request is consumed.
    ANSWERED = "answered"
    #: A part of the answer was sent.
    BROKEN = "broken"


class AnswerPipe:
    """One for a process: no call of it waits, so no two connections use it at a time."""

    def __init__(self, notes: memoryview, fds: Sequence[int] = ()) -> None:
        """`notes` are words of shared memory; `fds` are both ends of a former process's pipe, or none for a new one."""
        self._notes = notes
        self._reader, self._writer = sorted(fds, key=_writes) if fds else os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        #: The longest answer that it takes, in bytes.
        self.answer_max_bytes = fcntl.fcntl(self._writer, fcntl.F_GETPIPE_SZ)

    @property
    def fds(self) -> tuple[int, int]:
        """Both ends, to be kept."""
        return self._reader, self._writer

    @property
    def interrupted(self) -> int:
        """The cookie of the connection that a process was answering when it was killed; 0 for none."""
        return int(self._notes[_COOKIE])

    def recovered(self, sock: socket.socket) -> Standing:
        """Brings the interrupted answer on this connection to one of its ends; `forget` is to be called when it is
        noted elsewhere."""
        pending = self._pending()
        if not self._notes[_CONSUMING]:
            if pending:
                return Standing.UNANSWERED if pending == self._notes[_ANSWER_BYTES] else Standing.BROKEN
            self._notes[_CONSUMING] = 1
        rest = self._notes[_REQUEST_BYTES] - pending
        return Standing.ANSWERED if self._consume(sock, rest) == rest else Standing.BROKEN

    def forget(self) -> None:
        """No answer is under way."""
        self._notes[_COOKIE] = 0
        if pending := self._pending():
            os.read(self._reader, pending)

    def answer(self, sock: socket.socket, cookie: int, data: bytes, request_bytes: int) -> tuple[int, int]:
        """Sends `data`, of at most `answer_max_bytes`, then consumes the request; how much of both was done, in bytes.

        The request is not touched before all is sent, and may then be consumed in part. `forget` is to be called when
        what became of it is noted elsewhere, also after OSError, which is raised when the peer is gone.
        """
        notes = self._notes
        os.write(self._writer, data)
        notes[_REQUEST_BYTES], notes[_ANSWER_BYTES], notes[_CONSUMING] = request_bytes, len(data), 0
        # Last: from here on the notes hold.
        notes[_COOKIE] = cookie
        try:
            sent = os.splice(self._reader, sock.fileno(), len(data), flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return 0, 0
        if sent < len(data):
            return sent, 0
        notes[_CONSUMING] = 1
        return sent, self._consume(sock, request_bytes)

    def _consume(self, sock: socket.socket, request_bytes: int) -> int:
        consumed = 0
        # The pipe is full before its size is reached when the request came in many small pieces.
        with contextlib.suppress(BlockingIOError):
            while consumed < request_bytes:
                consumed += os.splice(sock.fileno(), self._writer, request_bytes - consumed, flags=os.SPLICE_F_NONBLOCK)
        return consumed

    def _pending(self) -> int:
        return int(struct.unpack("i", fcntl.ioctl(self._reader, termios.FIONREAD, bytes(4)))[0])


def _writes(fd: int) -> bool:
    return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
