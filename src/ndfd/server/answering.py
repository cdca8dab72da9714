"""Answers a request and consumes it as one step, of which the next process can tell how far a killed one came.

How much of the answer was sent, the kernel notes in memory that the manager keeps (`platform.NotedSender`); how much
of the request was consumed, the socket says itself (`platform.resuming`). A system call does its work whole before
SIGKILL takes effect, so every moment is one of those that `recovered` knows.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from enum import Enum

from ndfd import platform

_WORD_BYTES = 8
_COOKIE, _ANSWER_BYTES, _REQUEST_BYTES, _PEEKED_BYTES, _WORDS = range(5)
#: Of shared memory that the notes need.
NOTES_BYTES = _WORD_BYTES * _WORDS + platform.NotedSender.NOTE_BYTES


class Standing(Enum):
    """What a killed process left of a connection."""

    #: Nothing was sent: the request waits.
    UNANSWERED = "unanswered"
    #: All was sent, and the request is consumed.
    ANSWERED = "answered"
    #: A part of the answer was sent, or the request cannot be consumed whole.
    BROKEN = "broken"


class Answering:
    """One for a process: no call of it waits, so no two connections use it at a time."""

    def __init__(self, notes: memoryview) -> None:
        """`notes` are `NOTES_BYTES` of shared memory, as a former process left them."""
        self._notes = notes[: _WORD_BYTES * _WORDS].cast("Q")
        self._sender = platform.NotedSender(notes[_WORD_BYTES * _WORDS :])

    @property
    def interrupted(self) -> int:
        """The cookie of the connection that a process was answering when it was killed; 0 for none."""
        return self._notes[_COOKIE]

    def recovered(self, sock: socket.socket) -> Standing:
        """Brings the interrupted answer on this connection to an end; then call `forget`, when that is noted."""
        if sent_bytes := self._sender.sent_bytes:
            if sent_bytes < self._notes[_ANSWER_BYTES]:
                return Standing.BROKEN
            consumed_bytes = self._notes[_PEEKED_BYTES] - platform.resuming.peeked_bytes(sock)
            try:
                consume(sock, self._notes[_REQUEST_BYTES] - consumed_bytes)
            except OSError:
                return Standing.BROKEN
            return Standing.ANSWERED
        return Standing.UNANSWERED

    def forget(self) -> None:
        """No answer is under way."""
        self._notes[_COOKIE] = 0

    def answer(
        self,
        sock: socket.socket,
        cookie: int,
        data: bytes,
        descriptors: Sequence[int],
        request_bytes: int,
        peeked_bytes: int,
    ) -> int:
        """Sends `data`, the descriptors with its first byte, then consumes the request; how much was sent, in bytes.

        Unless it is all, the request is not consumed; then call `forget`, when that is noted, also after OSError, which
        is raised when the peer is gone, or as by `consume`. `peeked_bytes` are those that were looked at and are not
        consumed.
        """
        if not self._sender.takes(len(data)):
            return 0
        notes = self._notes
        self._sender.prepare(data, descriptors)
        notes[_ANSWER_BYTES], notes[_REQUEST_BYTES], notes[_PEEKED_BYTES] = len(data), request_bytes, peeked_bytes
        # Last: from here on the notes hold.
        notes[_COOKIE] = cookie
        sent_bytes = self._sender.send(sock)
        if sent_bytes == len(data):
            consume(sock, request_bytes)
            self.forget()
        return sent_bytes


def consume(sock: socket.socket, request_bytes: int) -> None:
    """Takes what was looked at out of the socket; `ConnectionAbortedError` when not all of that is there.

    So it would be with a byte that the peer sends out of band (MSG_OOB of send(2)), which is looked at like any other
    and left out by what is read, but for `platform.resuming`. Never is it waited for, nor read for ever after the end.
    """
    while request_bytes:
        try:
            # One read ends behind the bytes that were sent together with descriptors.
            taken = len(sock.recv(request_bytes))
        except BlockingIOError:
            taken = 0
        if not taken:
            raise ConnectionAbortedError(errno.ECONNABORTED, "what was looked at is not there any more")
        request_bytes -= taken
