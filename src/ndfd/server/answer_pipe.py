"""Answers a request and consumes it as one step, of which the next process can tell how far a killed one came.

A socket does not say what was sent over it. So the answer goes through a pipe (splice(2)), and what is left in the pipe
says it; how much of the request was consumed, the socket says itself (`platform.peeked_bytes`). The manager keeps the
pipe, and the notes are in memory that it keeps as well. A system call does its work whole before SIGKILL takes effect,
so every moment is one of those that `recovered` knows.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
from collections.abc import Sequence
from enum import Enum

from ndfd import platform

#: Words of notes that a pipe needs.
NOTES = 4
_COOKIE, _ANSWER_BYTES, _REQUEST_BYTES, _PEEKED_BYTES = range(NOTES)


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
        """Brings the interrupted answer on this connection to an end; then call `forget`, when that is noted."""
        if left := self._left():
            return Standing.UNANSWERED if left == self._notes[_ANSWER_BYTES] else Standing.BROKEN
        _consume(sock, self._notes[_REQUEST_BYTES] - (self._notes[_PEEKED_BYTES] - platform.peeked_bytes(sock)))
        return Standing.ANSWERED

    def forget(self) -> None:
        """No answer is under way."""
        self._notes[_COOKIE] = 0
        if left := self._left():
            os.read(self._reader, left)

    def answer(self, sock: socket.socket, cookie: int, data: bytes, request_bytes: int, peeked_bytes: int) -> int:
        """Sends `data`, of at most `answer_max_bytes`, then consumes the request; how much was sent, in bytes.

        Unless it is all, the request is not consumed; then call `forget`, when that is noted, also after OSError, which
        is raised when the peer is gone. `peeked_bytes` are those that were looked at and are not consumed.
        """
        notes = self._notes
        os.write(self._writer, data)
        notes[_ANSWER_BYTES], notes[_REQUEST_BYTES], notes[_PEEKED_BYTES] = len(data), request_bytes, peeked_bytes
        # Last: from here on the notes hold.
        notes[_COOKIE] = cookie
        try:
            sent = os.splice(self._reader, sock.fileno(), len(data), flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return 0
        if sent == len(data):
            _consume(sock, request_bytes)
            notes[_COOKIE] = 0
        return sent

    def _left(self) -> int:
        return int(struct.unpack("i", fcntl.ioctl(self._reader, termios.FIONREAD, bytes(4)))[0])


def _consume(sock: socket.socket, request_bytes: int) -> None:
    while request_bytes:
        # One read ends behind the bytes that were sent together with descriptors.
        request_bytes -= len(sock.recv(request_bytes))


def _writes(fd: int) -> bool:
    return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
