"""What another process asks when it goes on with a connection that one was killed on: the portable answer.

Elsewhere than on Linux, nobody keeps a connection for another process, and nothing here is asked.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from ndfd.errors import NotSupported


class NotedSender:
    """Sends one message at a time, and never waits; shared memory tells whether it was done, whatever happens."""

    #: Of the shared memory that one needs.
    NOTE_BYTES = 0

    def __init__(self, note: memoryview) -> None:
        """`note` is shared memory of `NOTE_BYTES`, as another process may have left it."""

    @property
    def sent_bytes(self) -> int:
        """How much of the last message was sent since `prepare`."""
        return 0

    def takes(self, data_bytes: int) -> bool:
        """Whether a message of this length can be sent in this way at all."""
        return False

    def prepare(self, data: bytes, descriptors: Sequence[int]) -> None:
        """Sets the message, of which nothing is sent; the descriptors go with its first byte."""

    def send(self, sock: socket.socket) -> int:
        """Sends what was prepared; how much of it was sent, in bytes. OSError when the peer is gone."""
        return 0


class Resuming:
    """What a connection remembers of the process that it was served by."""

    def prepare_peeking(self, connection: socket.socket) -> None:
        """From now on each MSG_PEEK gives what none has given yet, from the first byte that is not consumed.

        Bytes are given in the order that they were sent in, urgent ones among them. Holds for the connection, in
        whichever process it is; a second call begins at the first byte again.
        """
        raise NotSupported("this system does not remember how much of a connection was looked at")

    def peeked_bytes(self, connection: socket.socket) -> int:
        """How many bytes MSG_PEEK has given that are not consumed."""
        raise NotSupported("this system does not remember how much of a connection was looked at")
