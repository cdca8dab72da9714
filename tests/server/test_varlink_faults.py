"""The Varlink door under peers that break off, break rules, or stop reading."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ndfd.admission import Limits
from ndfd.protocol.varlink_interfaces import INTERFACES, ServiceInfo
from ndfd.server.generation import DoorLimits, Generation, Serving
from ndfd.server.http_door import HttpDoorLimits
from ndfd.server.methods import Daemon, Methods
from ndfd.server.varlink_door import VarlinkDoor
from tests.server.doors import (
    LIMITS,
    Doors,
    ScriptedConfigurations,
    ScriptedConversions,
    ScriptedPools,
    open_descriptors,
)
from tests.server.varlink_peer import CONVERT, GET_STATUS, Peer, document

INLINE = {"document": {"data": base64.b64encode(b"a document").decode()}}


def strict(tmp_path: Path, limits: Limits = LIMITS, **door: float) -> Doors:
    """Doors with narrower limits."""
    return Doors(tmp_path, DoorLimits(**door), HttpDoorLimits(), limits)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "garbage",
    [
        b"garbage\0",
        b"\0",
        b"[1]\0",
        b'{"method":\0',
        b"\xff\xfe\0",
        b"[" * 50_000 + b"\0",
    ],
)
def test_garbage_is_answered_by_an_error_and_the_end(doors: Doors, garbage: bytes) -> None:
    with Peer(doors) as peer:
        peer.send(garbage)
        reply = peer.reply()
        assert reply["error"] == "io.ndfd.Service.Failed"
        assert reply["parameters"]["code"] == "protocol"
        assert peer.is_closed()


def test_a_connection_that_came_in_the_moment_of_the_stop_is_closed(tmp_path: Path) -> None:
    path = str(tmp_path / "door.sock")

    async def accept_and_stop() -> None:
        # Nobody gets so far as to ask for the status.
        daemon = Daemon(pytest.fail, ScriptedConfigurations(), tuple, pytest.fail)
        generation = Generation(Methods(1, daemon, ScriptedPools(ScriptedConversions()), LIMITS))
        door = VarlinkDoor(Serving(generation), ServiceInfo("", "", "", "", INTERFACES))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        door.start(listener)
        peer.connect(path)
        # As the event loop calls it; the task of the connection has not had its first step when the door stops.
        assert door._accepting is not None
        door._accepting._accept()
        assert door.connections == 1
        await door.stop(0.0)

    with socket.socket(socket.AF_UNIX) as peer:
        before = open_descriptors()
        peer.settimeout(20)
        asyncio.run(accept_and_stop())
        assert open_descriptors() == before
        assert peer.recv(1) == b""


def test_calls_before_the_garbage_are_answered(doors: Doors) -> None:
    with Peer(doors) as peer:
        peer.send(b'{"method":"io.ndfd.Service.GetStatus"}\0garbage\0')
        assert "version" in peer.reply()["parameters"]
        assert peer.reply()["parameters"]["code"] == "protocol"


def test_a_message_over_the_limit_is_answered_by_an_error_and_the_end(
    tmp_path: Path,
) -> None:
    with (
        strict(tmp_path, message_max_bytes=100_000).open() as doors,
        Peer(doors) as peer,
    ):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while True:
                peer.send(b"x" * 65536)
        failed = peer.reply()["parameters"]
        assert failed["message"] == "a message is longer than 100000 bytes"
        assert "descriptor" in failed["hint"]
        assert peer.is_closed()


def test_a_last_message_without_its_nul_is_an_error(doors: Doors) -> None:
    with Peer(doors) as peer:
        peer.send(b'{"method":"io.ndfd.Service.GetStatus"}')
        peer.sock.shutdown(socket.SHUT_WR)
        assert "do not end in NUL" in peer.reply()["parameters"]["message"]


def test_a_half_message_is_cut_off_after_a_while(tmp_path: Path) -> None:
    with strict(tmp_path, stall_s=0.05).open() as doors, Peer(doors) as peer:
        peer.send(b'{"method":')
        assert peer.is_closed()


def test_an_idle_connection_is_left_alone(tmp_path: Path) -> None:
    with strict(tmp_path, stall_s=0.01).open() as doors, Peer(doors) as idle:
        with Peer(doors) as other:
            other.send(b'{"method":')
            # Long enough for the other to be cut off is long enough for this one.
            assert other.is_closed()
        assert "version" in idle.ask(GET_STATUS)["parameters"]


def test_a_half_closed_caller_still_gets_its_replies(doors: Doors) -> None:
    with Peer(doors) as peer:
        peer.send(
            {
                "method": CONVERT,
                "parameters": {**INLINE, "name": "pages:2"},
                "more": True,
            }
        )
        peer.send({"method": GET_STATUS})
        peer.sock.shutdown(socket.SHUT_WR)
        assert [peer.reply().get("continues", False) for _ in range(3)] == [
            True,
            True,
            False,
        ]
        assert "version" in peer.reply()["parameters"]
        assert peer.is_closed()


@pytest.mark.parametrize("leave", [socket.socket.close, lambda sock: sock.shutdown(socket.SHUT_RDWR)])
@pytest.mark.parametrize("more", [False, True])
def test_a_caller_that_leaves_has_its_conversion_cancelled(
    doors: Doors, leave: Callable[[socket.socket], None], more: bool
) -> None:
    with Peer(doors) as peer:
        peer.send({"method": CONVERT, "parameters": {**INLINE, "name": "hang"}, "more": more})
        assert doors.conversions.started.wait(20)
        leave(peer.sock)
        assert doors.conversions.cancelled.wait(20)
        doors.wait_idle()


def test_a_caller_that_leaves_behind_pipelined_calls_has_its_conversion_cancelled(
    doors: Doors,
) -> None:
    with Peer(doors) as peer:
        for name in ("hang", "never looked at"):
            peer.send({"method": CONVERT, "parameters": {**INLINE, "name": name}})
        assert doors.conversions.started.wait(20)
        peer.sock.close()
        assert doors.conversions.cancelled.wait(20)
        doors.wait_idle()
    assert [options.name for options, _ in doors.conversions.seen] == ["hang"]


def test_a_conversion_under_way_does_not_keep_other_connections_waiting(
    doors: Doors,
) -> None:
    with Peer(doors) as busy, Peer(doors) as other:
        busy.send({"method": CONVERT, "parameters": {**INLINE, "name": "hang"}})
        assert doors.conversions.started.wait(20)
        assert "version" in other.ask(GET_STATUS)["parameters"]


def test_100_pipelined_calls_are_answered_in_their_order(doors: Doors) -> None:
    with Peer(doors) as peer:
        for number in range(100):
            data = base64.b64encode(b"%d." % number).decode()
            peer.send({"method": CONVERT, "parameters": {"document": {"data": data}}})
        for number in range(100):
            assert peer.reply()["parameters"]["content"].endswith(f": {number}.")


def test_100_pipelined_calls_keep_their_own_descriptors(doors: Doors) -> None:
    files = [document(b"%d." % number) for number in range(100)]
    with Peer(doors) as peer:
        for number, fd in enumerate(files):
            if number % 3 == 0:
                peer.send({"method": GET_STATUS})
            peer.send({"method": CONVERT, "parameters": {"document": {"fd": 0}}}, fd)
        for number, fd in enumerate(files):
            if number % 3 == 0:
                assert "version" in peer.reply()["parameters"]
            assert peer.reply()["parameters"]["content"].endswith(f": {number}.")
            os.close(fd)


def test_a_caller_that_does_not_read_is_cut_off_and_costs_nothing_more(
    tmp_path: Path,
) -> None:
    with strict(tmp_path, stall_s=0.05).open() as doors:
        before = open_descriptors()
        with Peer(doors) as peer:
            peer.send({"method": CONVERT, "parameters": {**INLINE, "name": "big:8000000"}})
            doors.wait_idle()
        assert open_descriptors() == before


def test_a_caller_that_reads_slowly_gets_everything(doors: Doors) -> None:
    with Peer(doors) as peer:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.send({"method": CONVERT, "parameters": {**INLINE, "name": "big:4000000"}})
        assert len(peer.reply()["parameters"]["content"]) == 4_000_000


def test_too_many_descriptors_break_the_connection_and_leak_none(doors: Doors) -> None:
    fd = document()
    before = open_descriptors()
    with Peer(doors) as peer:
        peer.send({"method": CONVERT, "parameters": {"document": {"fd": 0}}}, *[fd] * 20)
        assert "more than 8 descriptors" in peer.reply()["parameters"]["message"]
        assert peer.is_closed()
    doors.wait_idle()
    assert open_descriptors() == before
    os.close(fd)


def test_descriptors_in_the_middle_of_a_message_break_the_connection_and_leak_none(
    doors: Doors,
) -> None:
    fd = document()
    before = open_descriptors()
    with Peer(doors) as peer:
        assert "version" in peer.ask(GET_STATUS)["parameters"]
        peer.send(b'{"method":"io.ndfd.Service')
        peer.send(b'.GetStatus"}\0', fd)
        reply = peer.reply()
        # The two halves may have been read as one, in which case nothing was wrong with them.
        assert "version" in reply["parameters"] or "in the middle" in reply["parameters"]["message"]
    doors.wait_idle()
    assert open_descriptors() == before
    os.close(fd)


def test_descriptors_of_messages_that_were_never_answered_are_closed(
    doors: Doors,
) -> None:
    fd = document()
    before = open_descriptors()
    with Peer(doors) as peer:
        peer.send(
            {"method": CONVERT, "parameters": {"document": {"fd": 0}, "name": "hang"}},
            fd,
        )
        assert doors.conversions.started.wait(20)
        for _ in range(5):
            peer.send({"method": GET_STATUS}, fd, fd)
        peer.send(b'{"method":', fd)
    doors.wait_idle()
    assert open_descriptors() == before
    os.close(fd)


def test_a_connection_too_many_is_told_to_try_again(tmp_path: Path) -> None:
    with (
        strict(tmp_path, connections_max=2).open() as doors,
        Peer(doors) as one,
        Peer(doors) as two,
    ):
        one.ask(GET_STATUS)
        two.ask(GET_STATUS)
        with Peer(doors) as three:
            assert three.reply()["parameters"]["code"] == "try-again"
            assert three.is_closed()
        one.sock.close()
        while doors.varlink.connections > 1:
            doors.run(_turn())
        with Peer(doors) as four:
            assert "version" in four.ask(GET_STATUS)["parameters"]


def test_one_user_cannot_take_all_connections(tmp_path: Path) -> None:
    with (
        strict(tmp_path, connections_per_user_max=1).open() as doors,
        Peer(doors) as one,
    ):
        one.ask(GET_STATUS)
        with Peer(doors) as two:
            assert two.reply()["parameters"]["code"] == "try-again"


def test_a_user_with_too_many_conversions_is_told_to_try_again(tmp_path: Path) -> None:
    limits = Limits(document_max_bytes=1000, conversions_max=4, conversions_per_user_max=1)
    with (
        strict(tmp_path, limits).open() as doors,
        Peer(doors) as busy,
        Peer(doors) as other,
    ):
        busy.send({"method": CONVERT, "parameters": {**INLINE, "name": "hang"}})
        assert doors.conversions.started.wait(20)
        assert other.ask(CONVERT, INLINE)["parameters"]["code"] == "try-again"
        busy.sock.close()
        assert doors.conversions.cancelled.wait(20)
        while doors.occupancy.conversions:
            doors.run(_turn())
        assert "content" in other.ask(CONVERT, INLINE)["parameters"]


def test_a_stopping_daemon_takes_no_new_documents(doors: Doors) -> None:
    doors.occupancy.closed = True
    with Peer(doors) as peer:
        assert peer.ask(CONVERT, INLINE)["parameters"]["code"] == "daemon-stopping"


def test_a_door_that_stops_lets_the_call_in_progress_end(tmp_path: Path) -> None:
    doors = strict(tmp_path)
    with doors.open(), Peer(doors) as idle, Peer(doors) as busy:
        idle.ask(GET_STATUS)
        busy.send({"method": CONVERT, "parameters": {**INLINE, "name": "big:3000000"}})
        assert doors.conversions.started.wait(20)
        stopping = doors.begin(doors.varlink.stop(20))
        assert len(busy.reply()["parameters"]["content"]) == 3_000_000
        assert busy.is_closed()
        assert idle.is_closed()
        stopping.result(20)
        with pytest.raises(ConnectionRefusedError):
            doors.connect()


def test_a_door_that_stops_cancels_what_does_not_end(doors: Doors) -> None:
    with Peer(doors) as peer:
        peer.send({"method": CONVERT, "parameters": {**INLINE, "name": "hang"}})
        assert doors.conversions.started.wait(20)
        doors.run(doors.varlink.stop(0))
        assert doors.conversions.cancelled.is_set()
        assert peer.reply()["parameters"]["code"] == "daemon-stopping"
        assert peer.is_closed()


async def _turn() -> None:
    """One turn of the doors' loop."""
