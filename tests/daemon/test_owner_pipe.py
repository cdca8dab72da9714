"""What the owner of a daemon says to it by its pipe."""

from __future__ import annotations

import asyncio
import contextlib
import os

from ndfd.daemon.owner_pipe import OwnerPipe
from ndfd.daemon.stopping import StopRequest, Urgency


async def told(*pieces: bytes, until: Urgency) -> tuple[list[str], Urgency]:
    """Who asked for reloads, and the urgency, when the pipe has brought these pieces one by one and then ended."""
    read, write = os.pipe()
    reloads: list[str] = []
    stop = StopRequest(lambda: None)
    loop = asyncio.get_running_loop()
    pipe = OwnerPipe(read, stop, reloads.append)
    pipe.listen(loop)
    try:
        for piece in pieces:
            os.write(write, piece)
            # Two rounds of the loop: one that sees the pipe, one that has read it.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        if until is Urgency.FAST:
            os.close(write)
        async with asyncio.timeout(10):
            await stop.wait(until)
    finally:
        loop.remove_reader(read)
        os.close(read)
        with contextlib.suppress(OSError):
            os.close(write)
    return reloads, stop.urgency


def test_drain_drains() -> None:
    assert asyncio.run(told(b"drain\n", until=Urgency.DRAIN)) == ([], Urgency.DRAIN)


def test_reload_reloads_as_often_as_it_is_said() -> None:
    assert asyncio.run(told(b"reload\nreload\n", b"reload\n", until=Urgency.FAST))[0] == ["the owner"] * 3


def test_a_line_may_come_in_pieces_and_end_as_windows_ends_it() -> None:
    assert asyncio.run(told(b"rel", b"oad\r\ndr", b"ain\n", until=Urgency.DRAIN)) == (["the owner"], Urgency.DRAIN)


def test_the_end_of_the_pipe_stops_fast() -> None:
    assert asyncio.run(told(until=Urgency.FAST)) == ([], Urgency.FAST)


def test_what_is_not_known_is_ignored_and_what_ends_no_line_is_no_word() -> None:
    pieces = (b"dance\n\n\xff\n", b"x" * 60000, b"reload", b"\nreload\ndrain")
    assert asyncio.run(told(*pieces, until=Urgency.FAST)) == (["the owner"], Urgency.FAST)
