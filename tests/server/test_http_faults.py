"""The HTTP door under clients that break off, break rules, or stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ndfd.server.generation import DoorLimits
from ndfd.server.http_door import HttpDoorLimits
from tests.server.conftest import plain_door
from tests.server.doors import (
    LIMITS,
    Doors,
    connected,
    open_descriptors,
)
from tests.server.storing_manager import StoringManager

HANG = b"POST /v1/convert?name=hang HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"


#: Makes doors with narrower limits.
Strict = Callable[..., Doors]


@pytest.fixture
def strict(tmp_path: Path, manager: StoringManager | None) -> Strict:
    def doors(
        stall_s: float = 30.0, connections_max: int = 512, connections_per_user_max: int = 128, **http: float
    ) -> Doors:
        door = DoorLimits(
            stall_s=stall_s, connections_max=connections_max, connections_per_user_max=connections_per_user_max
        )
        return Doors(tmp_path, door, HttpDoorLimits(**http), LIMITS, manager)  # type: ignore[arg-type]

    return doors


def asking(doors: Doors, data: bytes = b"") -> socket.socket:
    """A connection on which `data` was sent."""
    sock = connected(doors.http_path)
    if data:
        sock.sendall(data)
    return sock


def rest_of(sock: socket.socket) -> bytes:
    """What comes until the door closes."""
    data = b""
    # A reset comes behind the data, when the door closed without having read all that was sent to it.
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            data += piece
    return data


def test_a_client_that_leaves_has_its_conversion_cancelled(doors: Doors) -> None:
    before = open_descriptors()
    with asking(doors, HANG):
        assert doors.conversions.started.wait(20)
    assert doors.conversions.cancelled.wait(20)
    doors.wait_idle()
    assert open_descriptors() == before


def test_a_client_that_only_says_that_it_sends_no_more_has_left(doors: Doors) -> None:
    with asking(doors, HANG) as sock:
        assert doors.conversions.started.wait(20)
        sock.shutdown(socket.SHUT_WR)
        assert rest_of(sock) == b""
        assert doors.conversions.cancelled.wait(20)


def test_a_client_that_leaves_in_mid_body_costs_nothing(doors: Doors) -> None:
    before = open_descriptors()
    asking(doors, b"POST /v1/convert HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nhalf").close()
    doors.wait_idle()
    assert open_descriptors() == before
    assert doors.conversions.seen == []


def test_a_body_that_stops_coming_is_given_up(strict: Strict) -> None:
    with (
        strict(stall_s=0.05).open() as doors,
        asking(
            doors,
            b"POST /v1/convert HTTP/1.1\r\nContent-Length: 99\r\nConnection: close\r\n\r\nhalf",
        ) as sock,
    ):
        assert b"stopped coming" in rest_of(sock)


def test_a_client_that_does_not_read_is_cut_off(strict: Strict) -> None:
    with strict(stall_s=0.05).open() as doors:
        before = open_descriptors()
        ask = b"POST /v1/convert?name=big:8000000 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
        with asking(doors, ask):
            assert doors.conversions.started.wait(20)
            doors.wait_idle()
        assert open_descriptors() == before


@pytest.mark.parametrize(
    "garbage",
    [
        b"garbage\r\n\r\n",
        b"\0\0\0\0",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_answered_by_a_problem_and_the_end(doors: Doors, garbage: bytes) -> None:
    with asking(doors, garbage) as sock:
        answer = rest_of(sock)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"application/problem+json" in answer


def test_a_head_without_end_is_refused(strict: Strict) -> None:
    with (
        strict(head_max_bytes=10_000).open() as doors,
        asking(doors, b"GET / HTTP/1.1\r\n") as sock,
    ):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while True:
                sock.sendall(b"X-Endless: " + b"x" * 1000 + b"\r\n")
        assert rest_of(sock).startswith(b"HTTP/1.1 431 ")


def test_a_first_request_that_does_not_come_is_not_waited_for_long(strict: Strict) -> None:
    with strict(head_timeout_s=0.05).open() as doors, asking(doors) as sock:
        assert rest_of(sock) == b""


def test_half_a_head_is_not_waited_for_long(strict: Strict) -> None:
    with strict(head_timeout_s=0.2).open() as doors, asking(doors, b"GET / HT") as sock:
        assert rest_of(sock) == b""


def test_an_answered_connection_is_not_kept_for_long(strict: Strict) -> None:
    with strict(keep_alive_s=0).open() as doors, asking(doors, b"GET / HTTP/1.1\r\n\r\n") as sock:
        assert rest_of(sock).startswith(b"HTTP/1.1 200 ")


def test_half_a_head_behind_a_long_conversion_does_not_end_it(strict: Strict) -> None:
    with strict(head_timeout_s=0.2).open() as doors, asking(doors, HANG) as sock:
        assert doors.conversions.started.wait(20)
        sock.sendall(b"GET / HT")
        with asking(doors) as later:
            # When this one is given up, the other's time is long over.
            assert rest_of(later) == b""
        assert not doors.conversions.cancelled.is_set()
        sock.close()
        assert doors.conversions.cancelled.wait(20)


def test_a_connection_too_many_is_told_to_try_again(strict: Strict) -> None:
    with (
        strict(connections_max=1).open() as doors,
        asking(doors, b"GET / HTTP/1.1\r\n\r\n") as one,
    ):
        assert one.recv(100).startswith(b"HTTP/1.1 200 ")
        with asking(doors) as two:
            answer = rest_of(two)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"try-again" in answer


def test_one_user_cannot_take_all_connections(strict: Strict) -> None:
    ask = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with strict(connections_per_user_max=1).open() as doors:
        with asking(doors, ask) as one:
            assert one.recv(100).startswith(b"HTTP/1.1 200 ")
            with asking(doors) as two:
                assert rest_of(two).startswith(b"HTTP/1.1 503 ")
        while doors.http.connections:
            doors.run(asyncio.sleep(0))
        with asking(doors, ask) as three:
            assert three.recv(100).startswith(b"HTTP/1.1 200 ")


def test_pipelined_requests_are_answered_in_their_order(doors: Doors) -> None:
    asked = b"".join(
        b"POST /v1/convert HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n%03d" % number for number in range(20)
    )
    with asking(doors, asked + b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n") as sock:
        answers = rest_of(sock)
    places = [answers.index(b"of 3 bytes: %03d" % number) for number in range(20)]
    assert places == sorted(places)


def test_no_header_says_who_calls(doors: Doors) -> None:
    ask = b"GET /v1/status HTTP/1.1\r\nX-Forwarded-For: 10.0.0.1\r\nForwarded: for=x\r\nConnection: close\r\n\r\n"
    with asking(doors, ask) as sock:
        assert rest_of(sock).startswith(b"HTTP/1.1 200 ")


@plain_door
def test_a_door_that_stops_cancels_what_does_not_end(doors: Doors) -> None:
    with asking(doors, HANG) as sock:
        assert doors.conversions.started.wait(20)
        doors.run(doors.http.stop(0))
        assert doors.conversions.cancelled.is_set()
        answer = rest_of(sock)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"daemon-stopping" in answer
        with pytest.raises(ConnectionRefusedError):
            connected(doors.http_path)
