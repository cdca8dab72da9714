"""A connection that outlives the daemon: its messages are looked at where they wait, and consumed when answered."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from ndfd import platform
from ndfd.server.answering import consume
from ndfd.server.hangup import PeerGoneError
from ndfd.server.keeping import Kept
from ndfd.server.stream import READ_BYTES, Closing, FdStream


class KeptStream(FdStream):
    """Gives the same bytes and descriptors as `FdStream`, but messages one at a time.

    What MSG_PEEK gives is a batch. Linux ends a peek where it would end a read, behind the bytes that were sent with
    descriptors (unix_stream_read_generic in net/unix/af_unix.c), and gives new duplicates of them each time. They
    belong to the message that begins last in the batch, as `Framer.feed` says. But a peek that has filled its buffer
    looks on until it finds descriptors, so that those of a full batch may have come with bytes behind it.
    """

    _read_flags = socket.MSG_CMSG_CLOEXEC | socket.MSG_PEEK

    def __init__(self, sock: socket.socket, kept: Kept, closing: Closing) -> None:
        """`closing` closes what came and cannot be used."""
        super().__init__(sock, closing)
        platform.resuming.prepare_peeking(sock)
        self._kept = kept
        self._leaving = False
        self._batch = b""
        #: Of the batch, how much was read.
        self._at = 0
        #: The duplicates of the batch's descriptors, until they are read.
        self._descriptors_ahead: tuple[int, ...] = ()
        #: How much of what was read is still with the kernel.
        self._held = 0
        #: Whether the kernel has dropped the descriptors of the rest of the batch, so that nobody could read it anew.
        self._stripped = False

    async def read(self, timeout_s: float | None) -> tuple[bytes, tuple[int, ...]]:
        """A whole message that stays with the kernel until `consume`, or a part of one, which does not."""
        self.consume()
        if self._at == len(self._batch):
            await self._look(timeout_s)
        end = self._batch.find(b"\0", self._at) + 1
        if self._at and self._is_unsure(end):
            # Once more, from where this message begins.
            platform.resuming.prepare_peeking(self.sock)
            await self._look(timeout_s)
            end = self._batch.find(b"\0") + 1
        if not self._batch:
            return b"", ()
        if self._stripped or (self._kept.settled and not self._is_unsure(end)):
            return self._hold(end or len(self._batch))
        try:
            return self._take(end - self._at if end else READ_BYTES)
        except OSError as error:
            raise PeerGoneError from error

    async def write(self, data: bytes, descriptors: Sequence[int], timeout_s: float, *, last: bool = False) -> None:
        """As `FdStream.write`; a last answer that is sent at once, and the end of its request, are one step."""
        if last and self._held and self._kept.settled and not self._descriptors_ahead:
            try:
                sent = self._kept.answer(data, descriptors, self._held, len(self._batch) - self._at + self._held)
            except OSError as error:
                raise PeerGoneError from error
            if sent == len(data):
                self._held = 0
                return
            if sent:
                data, descriptors = data[sent:], ()
        self._kept.touch()
        await super().write(data, descriptors, timeout_s)

    @property
    def left(self) -> bool:
        """Whether the door stops, and nothing of the call under way was consumed, sent or done for good."""
        return self._leaving and self._kept.settled

    def leave(self) -> None:
        """From now on, what can be left to another daemon is."""
        self._leaving = True

    def touch(self) -> None:
        """Call before anything is done that must not be done twice."""
        self._kept.touch()

    def consume(self) -> None:
        """Takes from the kernel what was read; `PeerGoneError` when not all of that is there (`answering.consume`).

        While the caller has the descriptors open, this drops none for the last time, which might wait for their file
        system.
        """
        if not self._held:
            return
        self._kept.touch()
        try:
            while self._held and self._descriptors_ahead:
                taken, descriptors = self._read_now(self._held, socket.MSG_CMSG_CLOEXEC)
                # Sent in one piece with this message, though they belong to a later one.
                self._stripped = self._stripped or bool(descriptors)
                self._close(descriptors)
                if not taken:
                    raise PeerGoneError
                self._held -= len(taken)
            consume(self.sock, self._held)
        except OSError as error:
            raise PeerGoneError from error
        finally:
            self._held = 0

    def settle(self) -> None:
        """Call when all that was read is answered."""
        if not self._stripped and not self._held:
            self._kept.settle()

    def close(self) -> None:
        """Closes the connection, or leaves it as it is to another daemon."""
        self._drop()
        if self.left:
            self._kept.let_go()
        else:
            self._kept.close()

    async def _look(self, timeout_s: float | None) -> None:
        self._drop()
        self._batch, self._descriptors_ahead = await super().read(timeout_s)

    def _is_unsure(self, end: int) -> bool:
        """Whether the batch does not hold the message that ends at `end` whole, or not surely its descriptors."""
        if self._stripped:
            return False
        return end == 0 or (bool(self._descriptors_ahead) and end == len(self._batch) == READ_BYTES)

    def _hold(self, end: int) -> tuple[bytes, tuple[int, ...]]:
        data = self._batch[self._at : end]
        self._held, self._at = len(data), end
        if end < len(self._batch):
            return data, ()
        descriptors, self._descriptors_ahead = self._descriptors_ahead, ()
        self._stripped = False
        return data, descriptors

    def _take(self, size_bytes: int) -> tuple[bytes, tuple[int, ...]]:
        """Reads and consumes as `FdStream` does, but no further than to the end of the message."""
        self._kept.touch()
        whole_bytes = len(self._batch) - self._at
        data, descriptors = self._read_now(size_bytes, socket.MSG_CMSG_CLOEXEC)
        if descriptors and len(data) < whole_bytes:
            # They belong to the message that begins last in what was sent in one piece with them.
            data += self.sock.recv(whole_bytes - len(data))
        self._drop()
        if len(data) < whole_bytes:
            platform.resuming.prepare_peeking(self.sock)
        return data, descriptors

    def _drop(self) -> None:
        """Forgets the batch, which is with the kernel."""
        descriptors, self._descriptors_ahead = self._descriptors_ahead, ()
        self._batch, self._at, self._stripped = b"", 0, False
        self._close(descriptors)

    def _close(self, descriptors: tuple[int, ...]) -> None:
        if descriptors:
            with self._closing(descriptors):
                pass
