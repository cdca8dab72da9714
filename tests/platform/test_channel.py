"""The channel between our processes, against a peer that may be hostile."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.errors import WorkerProtocolError
from ndfd.platform import Channel

Pair = tuple[Channel, Channel]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = platform.channel_pair(1024, 2)
    yield ours, theirs
    ours.close()
    theirs.close()


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def raw(channel: Channel) -> socket.socket:
    """The socket under a channel's duplicate, to send what a channel would not."""
    return socket.socket(fileno=os.dup(channel.fileno()))


def test_messages_keep_their_boundaries_and_order(pair: Pair) -> None:
    ours, theirs = pair
    for data in (b"one", b"two", b"x" * 1024):
        theirs.send(data)
    assert [ours.receive() for _ in range(3)] == [(b"one", ()), (b"two", ()), (b"x" * 1024, ())]


def test_descriptors_arrive_as_new_ones_that_no_child_inherits(pair: Pair) -> None:
    ours, theirs = pair
    fd = platform.sealed_memfd("passed", b"content")
    theirs.send(b"here", (fd,))
    os.close(fd)
    message = ours.receive()
    assert message is not None
    (received,) = message.descriptors
    assert os.pread(received, 100, 0) == b"content"
    assert not os.get_inheritable(received)
    os.close(received)


def test_the_end_comes_after_all_that_was_sent(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"last words")
    theirs.close()
    assert ours.receive() == (b"last words", ())
    assert ours.receive() is None
    assert ours.receive() is None


def test_what_a_peer_sent_is_not_lost_when_it_ends_with_messages_unread(pair: Pair) -> None:
    ours, theirs = pair
    ours.send(b"never read")
    theirs.send(b"last words")
    theirs.close()
    assert ours.receive() == (b"last words", ())
    assert ours.receive() is None


def test_sending_to_an_end_that_is_closed_is_a_broken_pipe(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()
    with pytest.raises(BrokenPipeError):
        ours.send(b"anyone?")


def test_a_message_too_long_is_refused_and_the_next_one_is_read(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"x" * 1025)
    theirs.send(b"next")
    with pytest.raises(WorkerProtocolError):
        ours.receive()
    assert ours.receive() == (b"next", ())


@pytest.mark.parametrize("count", [3, 4, 5, 250])
def test_descriptors_beyond_the_limit_are_closed_with_all_that_came(pair: Pair, count: int) -> None:
    ours, theirs = pair
    before = open_descriptors()
    theirs.send(b"flood", [0] * count)
    with pytest.raises(WorkerProtocolError):
        ours.receive()
    assert open_descriptors() == before


def test_one_descriptor_too_many_is_noticed_where_the_kernel_has_room_for_it() -> None:
    # CMSG_SPACE rounds up to 8 bytes, so there is room for two descriptors where one was asked for.
    ours, theirs = platform.channel_pair(1024, 1)
    before = open_descriptors()
    theirs.send(b"two", (0, 1))
    with pytest.raises(WorkerProtocolError):
        ours.receive()
    assert open_descriptors() == before
    ours.close()
    theirs.close()


def test_descriptors_with_a_message_too_long_are_closed(pair: Pair) -> None:
    ours, theirs = pair
    before = open_descriptors()
    theirs.send(b"x" * 1025, (0, 1))
    with pytest.raises(WorkerProtocolError):
        ours.receive()
    assert open_descriptors() == before


def test_an_empty_message_is_the_end_and_its_descriptors_are_closed(pair: Pair) -> None:
    ours, theirs = pair
    before = open_descriptors()
    with raw(theirs) as sock:
        socket.send_fds(sock, [b""], [0])
    assert ours.receive() is None
    assert open_descriptors() == before


def test_an_end_that_does_not_block_says_that_nothing_is_there(pair: Pair) -> None:
    ours, _theirs = pair
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        ours.receive()


def test_an_end_made_of_a_descriptor_is_closed_to_children(pair: Pair) -> None:
    ours, theirs = pair
    fd = os.dup(theirs.fileno())
    os.set_inheritable(fd, True)
    made = platform.channel_from_descriptor(fd, 1024, 2)
    assert not os.get_inheritable(made.fileno())
    made.send(b"through it")
    assert ours.receive() == (b"through it", ())
    made.close()
