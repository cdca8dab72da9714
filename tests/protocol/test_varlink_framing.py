"""The Varlink wire: cutting a stream into messages."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndfd.protocol.varlink import MAX_MESSAGE_BYTES, Framer, Received


def fed(pieces: list[bytes], limit: int = MAX_MESSAGE_BYTES) -> tuple[list[bytes], str | None, bool]:
    framer = Framer(limit)
    messages = [received.message for piece in pieces for received in framer.feed(piece)]
    return messages, framer.error and framer.error.message, framer.in_message


@given(st.lists(st.binary(max_size=40)), st.binary(max_size=20), st.data())
def test_any_split_of_the_stream_gives_the_same_messages(
    messages: list[bytes], tail: bytes, data: st.DataObject
) -> None:
    stream = b"\0".join([*(m.replace(b"\0", b"-") for m in messages), tail.replace(b"\0", b"-")])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    pieces = [stream[start:end] for start, end in pairwise([0, *cuts, len(stream)])]
    assert fed(pieces, limit=30) == fed([stream], limit=30)


def test_messages_come_out_whole_and_without_their_nul() -> None:
    assert fed([b'{"a":1}\0{"b"', b":2}\0", b"\0x"])[0] == [b'{"a":1}', b'{"b":2}', b""]


def test_a_message_of_the_limit_passes_and_one_byte_more_does_not() -> None:
    assert fed([b"x" * 10 + b"\0"], limit=10)[0] == [b"x" * 10]
    messages, error, _ = fed([b"ok\0", b"x" * 11], limit=10)
    assert messages == [b"ok"]
    assert error == "a message is longer than 10 bytes"


def test_nothing_is_read_after_the_framing_broke() -> None:
    framer = Framer(4)
    framer.feed(b"too long")
    assert framer.feed(b"\0ok\0") == []


def test_a_stream_that_ends_within_a_message_is_an_error() -> None:
    framer = Framer()
    framer.feed(b"whole\0half")
    framer.end()
    assert framer.error is not None
    assert "4 bytes do not end in NUL" in framer.error.message


def test_a_stream_that_ends_between_messages_is_none() -> None:
    framer = Framer()
    framer.feed(b"whole\0")
    framer.end()
    assert framer.error is None


def test_descriptors_belong_to_the_message_that_begins_last_in_the_read() -> None:
    framer = Framer()
    assert framer.feed(b"a\0b\0c", (3, 4)) == [Received(b"a", ()), Received(b"b", ())]
    assert framer.feed(b"c\0d\0") == [Received(b"cc", (3, 4)), Received(b"d", ())]


def test_descriptors_belong_to_a_whole_message_at_the_end_of_the_read() -> None:
    assert Framer().feed(b"a\0b\0", (7,)) == [Received(b"a", ()), Received(b"b", (7,))]


def test_descriptors_in_the_middle_of_a_message_break_the_stream_and_are_given_back() -> None:
    framer = Framer()
    framer.feed(b"begun")
    assert framer.feed(b"-on\0", (5,)) == []
    assert framer.error is not None
    assert framer.abandon() == (5,)


def test_descriptors_behind_a_broken_stream_are_given_back() -> None:
    framer = Framer(2)
    framer.feed(b"long\0x", (5,))
    framer.feed(b"x", (6,))
    assert framer.abandon() == (5, 6)


def test_byte_at_a_time_takes_time_in_proportion_to_the_length() -> None:
    def cost(size: int) -> float:
        framer, best = Framer(), float("inf")
        for _ in range(3):
            start = time.process_time()
            for _ in range(size):
                framer.feed(b"x")
            framer.feed(b"\0")
            best = min(best, time.process_time() - start)
        return best

    # Eight times the bytes: a parser that looks at each byte again would need 64 times the time.
    assert cost(80_000) < 24 * cost(10_000)


@pytest.mark.parametrize("size", [1, 4096, 65536])
def test_a_large_message_in_pieces_is_whole(size: int) -> None:
    body = bytes(range(1, 256)) * 4096
    stream = body + b"\0"
    assert fed([stream[at : at + size] for at in range(0, len(stream), size)])[0] == [body]
