"""Connections of the HTTP door that outlive the daemon: what the next one serves, and whom it must disappoint."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ndfd.server.connection_table import ConnectionTable
from ndfd.server.http_app import make_app
from ndfd.server.http_door import HttpDoor, HttpDoorLimits
from ndfd.server.http_routes import REPEATABLE, route
from ndfd.server.keeping import Keeper
from tests.server.doors import Doors, connected, listening
from tests.server.storing_manager import StoringManager, storing_manager

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b'{"status":"ok"}'


def convert(body: bytes, name: str = "", size: int | None = None) -> bytes:
    """A request with a document, of which more may follow."""
    head = f"POST /v1/convert?name={name} HTTP/1.1\r\nHost: x\r\nContent-Length: {size or len(body)}\r\n\r\n"
    return head.encode() + body


class Managed:
    """HTTP doors in the loop of `doors`, one after the other, on a listener and with a store that are a manager's."""

    def __init__(self, doors: Doors, manager: StoringManager, path: Path) -> None:
        self.doors = doors
        self.manager = manager
        self.path = path
        self.listener = listening(path)
        self.doors_made: list[HttpDoor] = []

    def door(self, **limits: float) -> HttpDoor:
        """The next daemon's."""
        return self.doors.run(self._start(HttpDoorLimits(**limits)))  # type: ignore[arg-type, no-any-return]

    async def _start(self, limits: HttpDoorLimits) -> HttpDoor:
        later = asyncio.get_running_loop().call_later
        keeper = Keeper(self.manager.store, self.manager.passed(), later)
        door = HttpDoor(self.doors.app, self.doors.serving, limits, keeper=keeper)
        self.doors_made.append(door)
        await door.start(self.listener.dup())
        return door

    def stop(self, door: HttpDoor, grace_s: float = 0.0) -> None:
        """Stops a door whole."""
        self.doors.begin(door.stop(grace_s)).result(20)

    def follow(self, door: HttpDoor) -> HttpDoor:
        """Stops a door at once and starts the next, in which nothing hangs."""
        self.stop(door)
        self.doors.conversions.hangs = False
        return self.door()

    def connect(self, data: bytes = b"") -> socket.socket:
        """A connection on which `data` was sent."""
        sock = connected(self.path)
        if data:
            sock.sendall(data)
        return sock

    def close(self) -> None:
        for door in self.doors_made:
            self.stop(door)
        self.listener.close()


@pytest.fixture
def managed(doors: Doors, tmp_path: Path) -> Iterator[Managed]:
    """A manager, and no door yet."""
    with storing_manager() as manager:
        managed = Managed(doors, manager, tmp_path / "managed.sock")
        yield managed
        managed.close()


def answer(sock: socket.socket) -> bytes:
    """One whole answer that says its length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < size:
        body += _more(sock)
    assert len(body) == size, "more than one answer"
    return head + b"\r\n\r\n" + body


def _more(sock: socket.socket) -> bytes:
    piece = sock.recv(65536)
    assert piece, "the connection ended"
    return piece


def rest_of(sock: socket.socket) -> bytes:
    """What comes until the end."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            data += piece
    return data


def is_silent(sock: socket.socket) -> bool:
    """Whether nothing came, not even the end."""
    return not select.select([sock], [], [], 0)[0]


def ask(sock: socket.socket, request: bytes = HEALTH) -> bytes:
    """The answer to a request."""
    sock.sendall(request)
    return answer(sock)


async def _converting(doors: Doors) -> None:
    while not doors.occupancy.conversions:
        await asyncio.sleep(0)


# A stop that nobody notices


def test_an_idle_connection_is_served_by_the_next_door(managed: Managed) -> None:
    before = _of_connections()
    first = managed.door()
    with managed.connect() as used, managed.connect() as unused:
        assert OK in ask(used)
        managed.stop(first, 20)
        assert is_silent(used)
        assert is_silent(unused)
        second = managed.door()
        for _ in range(2):
            assert OK in ask(used)
            assert OK in ask(unused)
    managed.stop(second)
    managed.manager.close()
    assert _of_connections() == before


def test_a_request_that_comes_while_no_door_is_open_waits_for_the_next(managed: Managed) -> None:
    first = managed.door()
    with managed.connect(HEALTH) as old:
        answer(old)
        managed.stop(first)
        old.sendall(HEALTH)
        # In the backlog of the manager's listener.
        with managed.connect(HEALTH) as new:
            assert is_silent(old)
            assert is_silent(new)
            managed.door()
            assert OK in answer(old)
            assert OK in answer(new)


def test_a_door_that_pauses_begins_nothing_and_ends_what_it_has_begun(managed: Managed, doors: Doors) -> None:
    first = managed.door()
    with managed.connect(HEALTH) as idle, managed.connect(convert(b"half", size=8)) as busy:
        answer(idle)
        doors.run(_converting(doors))
        doors.run(_call(first.pause))
        idle.sendall(HEALTH)
        busy.sendall(b"done")
        assert b"of 8 bytes: halfdone" in answer(busy)
        with managed.connect(HEALTH) as new:
            managed.stop(first, 20)
            assert is_silent(idle)
            assert is_silent(new)
            managed.door()
            assert OK in answer(idle)
            assert OK in answer(new)
            assert OK in ask(busy)


def test_an_answer_within_the_grace_does_not_say_that_it_is_the_last(managed: Managed, doors: Doors) -> None:
    first = managed.door()
    with managed.connect(convert(b"half", size=8)) as sock:
        doors.run(_converting(doors))
        stopped = doors.begin(first.stop(20))
        sock.sendall(b"done")
        given = answer(sock)
        stopped.result(20)
        assert b"of 8 bytes: halfdone" in given
        assert b"connection:" not in given.lower()
        managed.door()
        assert OK in ask(sock)


def test_an_answer_that_was_not_taken_is_waited_for_and_then_the_connection_let_go(
    managed: Managed, doors: Doors
) -> None:
    first = managed.door()
    with managed.connect(convert(b"x", "big:250000")) as sock:
        begun = sock.recv(1)
        doors.run(_unasked(first))
        stopped = doors.begin(first.stop(20))
        doors.run(asyncio.sleep(0))
        while len(begun.partition(b"\r\n\r\n")[2]) < 250_000:
            begun += sock.recv(65536)
        stopped.result(20)
        managed.door()
        assert OK in ask(sock)


@pytest.mark.parametrize(
    "request_",
    [
        convert(b"a document", "hang"),
        (
            b"POST /v1/convert?name=hang HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"4\r\na do\r\n6\r\ncument\r\n0\r\n\r\n"
        ),
    ],
    ids=["length", "chunked"],
)
def test_a_request_that_does_not_end_in_the_grace_is_answered_by_the_next_door_once(
    managed: Managed, doors: Doors, request_: bytes
) -> None:
    first = managed.door()
    with managed.connect(request_) as sock:
        assert doors.conversions.started.wait(20)
        managed.stop(first, 0.05)
        assert doors.conversions.cancelled.is_set()
        assert is_silent(sock)
        doors.conversions.hangs = False
        managed.door()
        assert b"of 10 bytes: a document" in answer(sock)
        assert OK in ask(sock)
    assert len(doors.conversions.seen) == 2


def test_half_a_request_that_nobody_consumed_is_ended_with_the_next_door(managed: Managed, doors: Doors) -> None:
    first = managed.door(left_for_s=20)
    with managed.connect(b"GET /hea") as head, managed.connect(convert(b"half", size=8)) as body:
        doors.run(_converting(doors))
        managed.follow(first)
        assert is_silent(head)
        assert is_silent(body)
        head.sendall(b"lth HTTP/1.1\r\n\r\n")
        body.sendall(b"done")
        assert OK in answer(head)
        assert b"of 8 bytes: halfdone" in answer(body)


def test_a_stream_of_events_ends_in_order_and_its_connection_is_let_go(managed: Managed, doors: Doors) -> None:
    first = managed.door()
    with managed.connect(b"POST /v1/jobs HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody") as sock:
        location = answer(sock).lower().split(b"location: ")[1].split(b"\r\n")[0]
        sock.sendall(b"GET " + location + b"/events HTTP/1.1\r\n\r\n")
        events = b""
        while b"event: job" not in events:
            events += _more(sock)
        managed.stop(first)
        events += rest_of(sock)
        assert b"event: problem" in events
        assert b"daemon-stopping" in events
        assert events.endswith(b"0\r\n\r\n")


# What cannot be taken up ends, as it did before there was a manager


def test_a_request_of_which_much_was_consumed_is_told_of_the_stop(managed: Managed, doors: Doors) -> None:
    first = managed.door()
    with managed.connect(convert(bytes(1_000_000), "hang")) as sock:
        assert doors.conversions.started.wait(20)
        managed.stop(first)
        given = rest_of(sock)
        assert given.startswith(b"HTTP/1.1 503 ")
        assert b"daemon-stopping" in given
        assert b"connection: close" in given.lower()


def test_what_must_not_be_done_twice_is_not_left_to_the_next_door(managed: Managed, doors: Doors) -> None:
    begun = []

    async def reload(**_: Any) -> None:
        begun.append(True)
        await asyncio.get_running_loop().create_future()

    doors.configurations.reload = reload  # type: ignore[method-assign, assignment]
    first = managed.door()
    with managed.connect(b"POST /v1/reload HTTP/1.1\r\nContent-Length: 0\r\n\r\n") as sock:
        doors.run(_until(lambda: bool(begun)))
        managed.stop(first)
        assert rest_of(sock).startswith(b"HTTP/1.1 500 ")
        managed.door()
        doors.run(asyncio.sleep(0))
    assert len(begun) == 1


def test_a_connection_that_the_table_has_no_place_for_is_closed_with_the_door(
    managed: Managed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConnectionTable, "is_full", True)
    first = managed.door()
    with managed.connect(HEALTH) as sock:
        answer(sock)
        managed.stop(first)
        assert rest_of(sock) == b""


def test_the_end_of_a_connection_is_seen_although_the_manager_has_it(managed: Managed) -> None:
    managed.door()
    with managed.connect(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n") as sock:
        assert rest_of(sock).startswith(b"HTTP/1.1 200 ")
        managed.manager.drop_hung_up()
        # The table is left.
        assert [each.name for each in managed.manager.stored] == ["connections"]


def test_a_connection_that_idles_after_it_was_taken_up_is_closed_in_its_time(managed: Managed) -> None:
    first = managed.door()
    with managed.connect(HEALTH) as sock:
        answer(sock)
        managed.stop(first)
        managed.door(keep_alive_s=0)
        assert rest_of(sock) == b""


# What clients do


def test_a_request_in_many_pieces_is_served(managed: Managed) -> None:
    managed.door()
    with managed.connect() as sock:
        for byte in convert(b"a document"):
            sock.sendall(bytes([byte]))
            time.sleep(0)
        assert b"of 10 bytes: a document" in answer(sock)
        assert OK in ask(sock)


def test_a_sender_whose_small_writes_fill_the_socket_is_not_kept_waiting(managed: Managed) -> None:
    managed.door()
    with managed.connect() as sock:
        # The kernel gives it the least that it gives, which is room for a few writes of whatever size.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        for _ in range(2):
            for byte in convert(b"a document"):
                sock.sendall(bytes([byte]))
            assert b"of 10 bytes: a document" in answer(sock)


def test_a_client_that_waits_for_leave_to_send_gets_it(managed: Managed) -> None:
    first = managed.door()
    head = b"POST /v1/convert HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    with managed.connect(head) as sock:
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert b"of 4 bytes: body" in ask(sock, b"body")
        managed.follow(first)
        assert OK in ask(sock)


def test_pipelined_requests_are_answered_and_the_connection_outlives_the_door(managed: Managed) -> None:
    first = managed.door()
    with managed.connect(convert(b"one") + convert(b"two") + HEALTH[:10]) as sock:
        answers = b""
        while b"of 3 bytes: two" not in answers:
            answers += _more(sock)
        assert b"of 3 bytes: one" in answers
        assert OK in ask(sock, HEALTH[10:])
        managed.follow(first)
        assert OK in ask(sock)


def test_a_refusal_before_the_body_has_come_leaves_the_connection_whole(managed: Managed) -> None:
    first = managed.door()
    body = bytes(200_000)
    refused = b"POST /v1/convert?pool=fast HTTP/1.1\r\nContent-Length: 200000\r\n\r\n"
    with managed.connect(refused) as sock:
        assert answer(sock).startswith(b"HTTP/1.1 404 ")
        sock.sendall(body)
        assert OK in ask(sock)
        managed.follow(first)
        assert OK in ask(sock)


def test_a_request_that_is_being_served_costs_no_time_of_the_loop(managed: Managed, doors: Doors) -> None:
    managed.door()
    with managed.connect(convert(b"x", "hang")):
        assert doors.conversions.started.wait(20)
        assert doors.run(_cost_s(0.5)) < 0.1


# What clients do that mean harm


@pytest.mark.parametrize("sent", [convert(b"a document", "hang"), HEALTH[:9], b"\r\n"], ids=["whole", "half", "empty"])
def test_a_peer_that_sends_and_goes_at_once_is_not_served_for_nobody(
    managed: Managed, doors: Doors, sent: bytes
) -> None:
    door = managed.door(left_for_s=20)

    async def send_and_go() -> None:
        # Both before the loop sees either.
        for sock in taken:
            sock.sendall(sent)
            sock.close()

    taken = [managed.connect() for _ in range(3)]
    doors.run(_until(lambda: door.connections == 3))
    doors.run(send_and_go())
    doors.run(_until(lambda: not door.connections))
    doors.wait_idle()


def test_a_byte_out_of_band_is_one_of_the_request(managed: Managed, doors: Doors) -> None:
    managed.door(left_for_s=20)
    with managed.connect(convert(b"hal", size=4)) as sock:
        doors.run(_converting(doors))
        _send_out_of_band(managed, sock, b"f")
        assert b"of 4 bytes: half" in answer(sock)
        assert OK in ask(sock)


def test_a_byte_out_of_band_before_the_end_costs_no_other_connection(managed: Managed, doors: Doors) -> None:
    door = managed.door(left_for_s=20)
    with managed.connect(convert(b"hal", size=8)) as sock:
        doors.run(_converting(doors))
        _send_out_of_band(managed, sock, b"f")
    # A daemon that reads until it has what it looked at reads for ever.
    doors.run(_until(lambda: not door.connections))
    with managed.connect(HEALTH) as other:
        assert OK in answer(other)


def _send_out_of_band(managed: Managed, sock: socket.socket, data: bytes) -> None:
    """To the only connection; returns when it was looked at there, or ended it."""
    looked_at = _looked_at(managed)
    try:
        sock.send(data, socket.MSG_OOB)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip("this kernel's Unix sockets have none")
    managed.doors.run(_until(lambda: _looked_at(managed) not in range(1, looked_at + len(data))))


def _looked_at(managed: Managed) -> int:
    """SO_PEEK_OFF of socket(7), in bytes."""
    (fd,) = [each.fd for each in managed.manager.stored if each.name == "connection-http"]
    with socket.socket(fileno=os.dup(fd)) as sock:
        return sock.getsockopt(socket.SOL_SOCKET, 42)


# The table of what may be served twice


def test_each_route_says_whether_it_may_be_served_twice() -> None:
    app = make_app(None, lambda: ("", b""), "0")._app  # type: ignore[arg-type, attr-defined]
    assert isinstance(app, Starlette)
    made = {
        f"{method} {each.path}"
        for each in app.routes
        if isinstance(each, Route)
        for method in (each.methods or ()) - {"HEAD"}
    }
    assert made == set(REPEATABLE)
    # RFC 9110 section 9.2.1: they change nothing.
    assert all(repeatable for name, repeatable in REPEATABLE.items() if name.startswith("GET "))


def test_a_route_that_says_nothing_cannot_be_made() -> None:
    async def handler(request: Request) -> Response:
        return Response()

    with pytest.raises(KeyError, match="POST /v1/new"):
        route("/v1/new", POST=handler)


def _of_connections() -> int:
    """Descriptors of this process that are sockets, or watch sockets."""
    links = [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return sum(1 for link in links if link.startswith(("socket:", "anon_inode:[eventpoll]")))


async def _call(function: Any) -> None:
    function()


async def _until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0)


async def _unasked(door: HttpDoor) -> None:
    while door.state.tasks:
        await asyncio.sleep(0)


async def _cost_s(seconds: float) -> float:
    begun = time.thread_time()
    await asyncio.sleep(seconds)
    return time.thread_time() - begun
