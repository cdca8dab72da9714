"""The client when the daemon is not there, goes away, is silent, or talks nonsense."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ndfd.client import Client
from ndfd.errors import Busy, NotPermitted, ProtocolError, ShuttingDown, Unavailable
from ndfd.model.conversion import ConvertOptions
from ndfd.server.generation import DoorLimits
from ndfd.server.http_door import HttpDoorLimits
from tests.server.doors import LIMITS, Doors, listening


@contextmanager
def daemon(path: Path, serve: Callable[[socket.socket], object]) -> Iterator[Path]:
    """Something else than a daemon, that serves one connection."""
    listener = listening(path)

    def accept() -> None:
        connection, _ = listener.accept()
        with connection:
            serve(connection)

    thread = threading.Thread(target=accept)
    thread.start()
    yield path
    thread.join()
    listener.close()


def saying(answer: bytes) -> Callable[[socket.socket], object]:
    """Takes a call and says `answer`."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    return serve


def test_no_socket_is_an_unavailable_daemon_that_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"ndfd\.sock: No such file") as refused:
        Client.connect(tmp_path / "ndfd.sock")
    assert "ndfd run" in refused.value.hint


def test_a_socket_that_nobody_listens_on_is_an_unavailable_daemon(tmp_path: Path) -> None:
    listening(tmp_path / "ndfd.sock").close()
    with pytest.raises(Unavailable, match="Connection refused"):
        Client.connect(tmp_path / "ndfd.sock")


def test_a_daemon_that_accepts_nobody_is_not_waited_for_longer_than_asked(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "ndfd.sock"))
    listener.listen(0)
    with Client.connect(tmp_path / "ndfd.sock"), pytest.raises(Unavailable, match=r"not accepted for 0\.05 s"):
        Client.connect(tmp_path / "ndfd.sock", timeout_s=0.05)
    listener.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a user who may not use the socket")
def test_a_socket_that_this_user_may_not_use_is_not_permitted(tmp_path: Path) -> None:
    listener = listening(tmp_path / "ndfd.sock")
    (tmp_path / "ndfd.sock").chmod(0o600)
    os.seteuid(65534)
    try:
        with pytest.raises(NotPermitted, match=r"ndfd\.sock"):
            Client.connect(tmp_path / "ndfd.sock")
    finally:
        os.seteuid(0)
        listener.close()


def test_a_daemon_that_vanishes_is_unavailable(tmp_path: Path) -> None:
    with daemon(tmp_path / "s", lambda connection: connection.recv(100)) as path:
        client = Client.connect(path)
        with pytest.raises(Unavailable, match=r"/s.* (closed the connection|broke)"):
            client.convert(b"x")
        with pytest.raises(Unavailable):
            client.status()


def test_a_daemon_that_is_silent_is_given_up_when_asked_so(doors: Doors) -> None:
    client = Client.connect(doors.varlink_path)
    with pytest.raises(Unavailable, match=r"did not answer for 0\.05 s"):
        client.convert(b"x", ConvertOptions(name="hang"), timeout_s=0.05)
    # The connection is closed with it, and so the work ends too.
    assert doors.conversions.cancelled.wait(20)
    with pytest.raises(Unavailable):
        client.status()


def test_another_thread_cancels_by_closing(doors: Doors) -> None:
    client = Client.connect(doors.varlink_path)

    def cancel() -> None:
        assert doors.conversions.started.wait(20)
        client.close()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(Unavailable, match="closed by this program"):
        client.convert(b"x", ConvertOptions(name="hang"))
    thread.join()
    assert doors.conversions.cancelled.wait(20)
    client.close()


def test_a_second_call_at_the_same_time_is_refused(doors: Doors) -> None:
    client = Client.connect(doors.varlink_path)
    ended = threading.Event()

    def convert() -> None:
        with pytest.raises(Unavailable):
            client.convert(b"x", ConvertOptions(name="hang"))
        ended.set()

    thread = threading.Thread(target=convert)
    thread.start()
    assert doors.conversions.started.wait(20)
    with pytest.raises(RuntimeError, match="one client per thread"):
        client.status()
    client.close()
    assert ended.wait(20)
    thread.join()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"nonsense\0", "no Varlink reply"),
        (b'{"parameters":{"version":1}}\0', "malformed"),
        (b'{"parameters":{},"continues":true}\0', "several replies"),
        (b'{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"x"}}\0', "MethodNotFound"),
        (b'{"error":"io.ndfd.Service.Failed","parameters":{"code":1}}\0', "malformed"),
    ],
)
def test_nonsense_is_a_protocol_error(tmp_path: Path, answer: bytes, said: str) -> None:
    with (
        daemon(tmp_path / "s", saying(answer)) as path,
        Client.connect(path) as client,
        pytest.raises(ProtocolError, match=said),
    ):
        client.status()


def test_a_result_without_its_descriptor_is_a_protocol_error(tmp_path: Path) -> None:
    report = (
        b'{"pages":1,"pages_partial":0,"pages_failed":0,"media_type":"x","size_bytes":0,"cpu_s":0,"rss_max_bytes":0}'
    )
    with (
        daemon(tmp_path / "s", saying(b'{"parameters":{"generation":1,"fd":0,"report":' + report + b"}}\0")) as path,
        Client.connect(path) as client,
        pytest.raises(ProtocolError, match="holds no descriptor"),
    ):
        client.convert(b"x")


def test_a_reply_without_end_is_a_protocol_error(tmp_path: Path) -> None:
    def flood(connection: socket.socket) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            while True:
                connection.sendall(b"x" * 65536)

    with (
        daemon(tmp_path / "s", flood) as path,
        Client.connect(path) as client,
        pytest.raises(ProtocolError, match="longer than"),
    ):
        client.status()


def test_a_permission_that_is_missing_is_told(tmp_path: Path) -> None:
    answer = b'{"error":"org.varlink.service.PermissionDenied"}\0'
    with daemon(tmp_path / "s", saying(answer)) as path, Client.connect(path) as client, pytest.raises(NotPermitted):
        client.status()


def test_a_connection_too_many_is_busy_and_not_merely_closed(tmp_path: Path) -> None:
    doors = Doors(tmp_path, DoorLimits(connections_max=1), HttpDoorLimits(), LIMITS)
    with doors.open(), Client.connect(doors.varlink_path) as first:
        first.status()
        with Client.connect(doors.varlink_path) as second, pytest.raises(Busy):
            second.status()


def test_a_daemon_that_stops_in_mid_conversion_says_so(doors: Doors) -> None:
    with Client.connect(doors.varlink_path) as client:
        stopping = threading.Thread(
            target=lambda: doors.conversions.started.wait(20) and doors.run(doors.varlink.stop(0))
        )
        stopping.start()
        with pytest.raises(ShuttingDown):
            client.convert(b"x", ConvertOptions(name="hang"))
        stopping.join()
