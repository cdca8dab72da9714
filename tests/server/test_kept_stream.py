"""A stream whose messages stay with the kernel gives what one gives that reads them, however they were sent."""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ndfd import platform
from ndfd.errors import ProtocolError
from ndfd.protocol.varlink import Framer, Received
from ndfd.server.connection_table import ConnectionTable
from ndfd.server.hangup import PeerGoneError
from ndfd.server.keeping import Kept
from ndfd.server.kept_stream import KeptStream
from ndfd.server.stream import READ_BYTES, FdStream, closing_all
from tests.server.doors import open_descriptors


class Send(NamedTuple):
    """The peer sends bytes in one piece, with so many descriptors."""

    data: bytes
    descriptors: int = 0


class Do(Enum):
    """What happens at this end."""

    #: All that is there is read and answered.
    SERVE = "serve"
    #: As well, but the process ends before the first message is answered, and another one goes on.
    RESTART = "restart"


#: The bytes of a message, and the numbers of the descriptors that came with it, in the order of their sending.
Message = tuple[bytes, tuple[int, ...]]


class Reader:
    """Does with a stream what a connection does with it, and tells the messages that were answered."""

    def __init__(self, sock: socket.socket, table: ConnectionTable | None) -> None:
        self._sock = sock
        self._table = table
        self._cookie = platform.socket_cookie(sock)
        if table is not None:
            table.add(self._cookie)
        self.answered: list[tuple[bytes, tuple[int, ...]]] = []
        self.restarts = 0
        #: What the framing broke with.
        self.error: ProtocolError | None = None
        self._begin()

    async def do(self, what: Do) -> None:
        while await self._read():
            received = self._waiting.popleft()
            if what is Do.RESTART and self._stream_is_settled():
                self._end(received)
                self._begin()
                self.restarts += 1
                what = Do.SERVE
                continue
            self.answered.append((received.message, tuple(os.fstat(fd).st_ino for fd in received.descriptors)))
            with closing_all(received.descriptors):
                self._stream.consume()
            if not self._waiting and not self._framer.in_message:
                self._stream.settle()

    def close(self) -> None:
        """Closes all that it has."""
        self._end(*self._waiting)
        if self._table is not None:
            self._table.remove(self._cookie)

    def _begin(self) -> None:
        # Of a copy: as in another process, the connection goes on after this one's end.
        sock = self._sock.dup()
        self._kept = Kept(sock, self._table, self._cookie)
        self._stream = FdStream(sock) if self._table is None else KeptStream(sock, self._kept, closing_all)
        self._framer = Framer()
        self._waiting: deque[Received] = deque()

    def _end(self, *unanswered: Received) -> None:
        strays = [*self._framer.abandon(), *(fd for received in unanswered for fd in received.descriptors)]
        with closing_all(strays):
            if isinstance(self._stream, KeptStream):
                self._stream._drop()
            self._stream.sock.close()

    def _stream_is_settled(self) -> bool:
        return self._table is not None and self._table.is_settled(self._cookie)

    async def _read(self) -> bool:
        while not self._waiting:
            if self._framer.error is not None:
                self.error = self._framer.error
                return False
            try:
                data, descriptors = await self._stream.read(0)
            except PeerGoneError:
                # Nothing is there.
                return False
            self._waiting.extend(self._framer.feed(data, descriptors))
        return True


class Outcome(NamedTuple):
    """What became of a stream."""

    messages: list[Message]
    broke: bool
    restarts: int


def outcome(steps: Sequence[Send | Do], table: ConnectionTable | None) -> Outcome:
    """Of a stream that is kept when there is a table."""
    before = open_descriptors()
    theirs, ours = socket.socketpair()
    numbers: dict[int, int] = {}
    with theirs, ours:
        theirs.setblocking(False)

        async def run() -> Reader:
            reader = Reader(ours, table)
            try:
                for step in (*steps, Do.SERVE):
                    if isinstance(step, Do):
                        await reader.do(step)
                    else:
                        _send(theirs, step, numbers)
            finally:
                reader.close()
            return reader

        reader = asyncio.run(run())
    assert open_descriptors() == before
    answered = [(message, tuple(numbers[inode] for inode in inodes)) for message, inodes in reader.answered]
    return Outcome(answered, reader.error is not None, reader.restarts)


_files = count()


def _send(sock: socket.socket, what: Send, numbers: dict[int, int]) -> None:
    files = [os.memfd_create(f"test-{next(_files)}") for _ in range(what.descriptors)]
    for fd in files:
        numbers[os.fstat(fd).st_ino] = len(numbers)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
    with closing_all(files):
        assert sock.sendmsg([what.data], rights) == len(what.data)


@pytest.fixture(scope="module")
def table() -> Iterator[ConnectionTable]:
    table = ConnectionTable()
    yield table
    os.close(table.fd)


_pieces = st.text("ab\0", min_size=1, max_size=12).map(str.encode)
_any_steps = st.lists(
    st.one_of(st.builds(Send, _pieces, st.sampled_from([0, 0, 1, 2])), st.sampled_from(Do)), max_size=12
)


@settings(deadline=None)
@given(_any_steps)
def test_any_stream_gives_the_same_messages_with_the_same_descriptors(
    table: ConnectionTable, steps: list[Send | Do]
) -> None:
    kept, plain = outcome(steps, table), outcome(steps, None)
    assert (kept.messages, kept.broke) == (plain.messages, plain.broke)


_sizes = st.sampled_from([0, 1, 100, READ_BYTES // 2, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1])


@settings(deadline=None)
@example([(READ_BYTES - 1, 0, False), (1, 1, False)], None)
@example([(100, 0, False), (READ_BYTES - 102, 0, False), (1, 2, False)], None)
@example([(READ_BYTES - 1, 1, True), (1, 1, False)], Do.RESTART)
@given(st.lists(st.tuples(_sizes, st.integers(0, 2), st.booleans()), max_size=8), st.sampled_from([None, *Do]))
def test_messages_as_large_as_a_look_keep_their_descriptors(
    table: ConnectionTable, asked: list[tuple[int, int, bool]], between: Do | None
) -> None:
    steps: list[Send | Do] = []
    expected: list[Message] = []
    sent_bytes = descriptors = 0
    for size, number, in_two in asked:
        # What the kernel takes without anybody reading.
        if sent_bytes + size > 2 * READ_BYTES:
            continue
        message = b"x" * size
        cut = size // 2 + 1 if in_two else size + 1
        steps += [Send(piece, number * (at == 0)) for at, piece in enumerate(_cut(message + b"\0", cut))]
        expected.append((message, tuple(range(descriptors, descriptors + number))))
        descriptors += number
        sent_bytes += 0 if between else size + 1
        steps += [between] if between else []
    assert outcome(steps, table).messages == expected


def _cut(data: bytes, at: int) -> list[bytes]:
    return [piece for piece in (data[:at], data[at:]) if piece]


def test_a_message_is_given_anew_after_a_restart_with_its_descriptors(table: ConnectionTable) -> None:
    steps = [Send(b"one\0"), Send(b"two\0", 2), Send(b"three\0", 1)]
    kept = outcome([*steps, Do.RESTART], table)
    assert kept == ([(b"one", ()), (b"two", (0, 1)), (b"three", (2,))], False, 1)


def test_a_message_that_was_consumed_in_part_cannot_be_given_anew(table: ConnectionTable) -> None:
    kept = outcome([Send(b"one\0t"), Do.SERVE, Send(b"wo\0"), Do.RESTART, Send(b"three\0"), Do.RESTART], table)
    assert [message for message, _ in kept.messages] == [b"one", b"two", b"three"]
    assert kept.restarts == 1


def test_an_urgent_byte_neither_keeps_the_reader_turning_nor_stops_it(table: ConnectionTable) -> None:
    theirs, ours = socket.socketpair()

    async def read() -> list[tuple[bytes, tuple[int, ...]]]:
        reader = Reader(ours, table)
        await reader.do(Do.SERVE)
        theirs.send(b"\0")
        # Readable for as long as it is not taken.
        await reader.do(Do.SERVE)
        reader.close()
        return reader.answered

    with theirs, ours:
        try:
            theirs.send(b"u", socket.MSG_OOB)
        except OSError:
            pytest.skip("this kernel has no urgent bytes on Unix sockets")
        # As soon as it is looked at, it must be there.
        assert asyncio.run(read()) == [(b"u", ())]


@pytest.mark.parametrize("gone", [True, False], ids=["has gone", "is there"])
def test_what_was_looked_at_and_is_not_there_any_more_is_not_waited_for(gone: bool) -> None:
    async def read() -> None:
        peer, sock = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        table = ConnectionTable()
        cookie = platform.socket_cookie(sock)
        table.add(cookie)
        with peer, sock:
            stream = KeptStream(sock, Kept(sock, table, cookie), closing_all)
            peer.sendall(b"message\0")
            assert (await stream.read(20))[0] == b"message\0"
            sock.recv(1)
            if gone:
                peer.close()
            with pytest.raises(PeerGoneError):
                stream.consume()
            assert not table.is_settled(cookie)

    asyncio.run(asyncio.wait_for(read(), 20))
