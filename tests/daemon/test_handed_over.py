"""What a service manager handed over: whose it is, and what is refused."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable
from pathlib import Path

import pytest

from ndfd.config.places import default_socket_dir
from ndfd.config.settings import NetworkSettings
from ndfd.daemon.handed_over import HandedOver
from ndfd.errors import SocketError
from ndfd.platform import PassedDescriptor
from tests.daemon.managed import listening


def passed(socks: Iterable[socket.socket], name: str = "ndfd") -> list[PassedDescriptor]:
    """Duplicates of them, as a manager hands them over."""
    return [PassedDescriptor(name, os.dup(sock.fileno())) for sock in socks]


def close(handed: HandedOver) -> None:
    for sock in (*handed.doors.values(), *handed.network):
        sock.close()
    for each in handed.connections:
        os.close(each.fd)


def test_each_door_gets_its_socket_by_the_name_of_its_file_and_the_folder_is_theirs(tmp_path: Path) -> None:
    with listening(tmp_path / "http.sock", tmp_path / "ndfd.sock") as (http, varlink):
        handed = HandedOver.of(passed((http, varlink)))
        assert {name: sock.getsockname() for name, sock in handed.doors.items()} == {
            "http.sock": http.getsockname(),
            "ndfd.sock": varlink.getsockname(),
        }
        assert handed.folder_for(NetworkSettings()) == tmp_path
        (tmp_path / "link").symlink_to(tmp_path)
        assert handed.folder_for(NetworkSettings(socket_dir=str(tmp_path / "link"))) == tmp_path / "link"
        with pytest.raises(SocketError, match=r"listens in .* and \[network\] socket_dir is /elsewhere"):
            handed.folder_for(NetworkSettings(socket_dir="/elsewhere"))
        close(handed)
    assert HandedOver.of(()).folder_for(NetworkSettings()) == default_socket_dir()


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("name", "ndfd.socket, which is none of its doors"),
        ("network", "127.0.0.1 port"),
        ("abstract", "at @ndfd-test, which"),
        ("packets", "none of its doors"),
        ("folders", "two folders"),
        ("twice", "none of its doors"),
    ],
)
def test_a_listening_socket_that_is_no_door_is_refused(
    tmp_path: Path, kind: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b").mkdir()
    with contextlib.ExitStack() as stack:
        if kind == "network":
            socks = [stack.enter_context(socket.create_server(("127.0.0.1", 0)))]
        elif kind in ("abstract", "packets"):
            sort = socket.SOCK_STREAM if kind == "abstract" else socket.SOCK_SEQPACKET
            socks = [stack.enter_context(socket.socket(socket.AF_UNIX, sort))]
            socks[0].bind("\0ndfd-test" if kind == "abstract" else str(tmp_path / "ndfd.sock"))
            socks[0].listen()
        elif kind == "name":
            socks = stack.enter_context(listening(tmp_path / "ndfd.socket"))
        elif kind == "folders":
            socks = stack.enter_context(listening(tmp_path / "ndfd.sock", tmp_path / "b" / "http.sock"))
        else:
            socks = stack.enter_context(listening(tmp_path / "ndfd.sock")) * 2
        given = passed(socks)
        taken: list[socket.socket] = []
        made = socket.socket

        def note(*arguments: int, **named: int) -> socket.socket:
            taken.append(made(*arguments, **named))
            return taken[-1]

        monkeypatch.setattr("ndfd.daemon.handed_over.socket.socket", note)
        with pytest.raises(SocketError, match=says) as refused:
            HandedOver.of(given)
        assert "ListenStream=" in str(refused.value.hint)
        for sock in taken:
            sock.close()


def test_what_is_no_listening_socket_is_named_in_the_log_and_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = socket.socketpair()
    read_end, write_end = os.pipe()
    given = [*passed((one,), "connection"), PassedDescriptor("a-file", write_end)]
    one.close()
    close(HandedOver.of(given))
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == ["connection", "a-file"]
    assert (other.recv(1), os.read(read_end, 1)) == (b"", b"")
    other.close()
    os.close(read_end)


def test_connections_that_can_be_kept_no_more_are_ended_for_whoever_has_duplicates(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    table = os.memfd_create("table")
    given = [*passed((ours,), "connection-varlink"), PassedDescriptor("connections", table)]
    handed = HandedOver.of(given)
    assert handed.connections == given
    handed.drop_connections()
    # `ours` is the duplicate of the manager.
    assert theirs.recv(1) == b""
    assert handed.connections == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(table)
    ours.close()
    theirs.close()
