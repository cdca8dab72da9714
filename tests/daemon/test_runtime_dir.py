"""The folder of the sockets."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from ndfd.daemon.runtime_dir import RuntimeDir
from ndfd.errors import SocketError


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))


def test_the_folder_is_made_for_its_user_alone_and_its_sockets_with_the_bits_asked_for(tmp_path: Path) -> None:
    with RuntimeDir(tmp_path / "a" / "ndfd") as place, place.listen("ndfd.sock", 0o660):
        assert stat.S_IMODE(place.path.stat().st_mode) == 0o700
        assert stat.S_IMODE((place.path / "ndfd.sock").stat().st_mode) == 0o660
        connect(place.path / "ndfd.sock")


def test_a_second_daemon_in_the_folder_is_refused_by_the_pid_of_the_first(tmp_path: Path) -> None:
    with RuntimeDir(tmp_path), pytest.raises(SocketError, match=rf"another daemon \(pid {os.getpid()}\) runs there"):
        RuntimeDir(tmp_path).__enter__()


def test_the_folder_is_free_again_when_the_first_has_ended(tmp_path: Path) -> None:
    with RuntimeDir(tmp_path):
        pass
    with RuntimeDir(tmp_path) as place:
        assert place.path == tmp_path


def test_the_socket_of_a_daemon_that_was_killed_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "ndfd.sock"))
    with RuntimeDir(tmp_path) as place, place.listen("ndfd.sock", 0o600):
        connect(tmp_path / "ndfd.sock")


def test_a_file_in_the_place_of_the_socket_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "ndfd.sock").write_text("precious")
    with RuntimeDir(tmp_path) as place, pytest.raises(SocketError, match="no socket"):
        place.listen("ndfd.sock", 0o600)
    assert (tmp_path / "ndfd.sock").read_text() == "precious"


def test_at_the_end_only_its_own_sockets_are_removed(tmp_path: Path) -> None:
    with RuntimeDir(tmp_path) as place, place.listen("ndfd.sock", 0o600), place.listen("http.sock", 0o600):
        (tmp_path / "http.sock").unlink()
        (tmp_path / "http.sock").write_text("another's")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["http.sock", "ndfd.lock"]


def test_a_private_folder_goes_as_a_whole(tmp_path: Path) -> None:
    with RuntimeDir(tmp_path / "private") as place, place.listen("ndfd.sock", 0o600):
        place.remove()
        assert not place.path.exists()


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SocketError, match="file"):
        RuntimeDir(tmp_path / "file" / "ndfd").__enter__()


def test_a_path_too_long_for_a_socket_is_said_so(tmp_path: Path) -> None:
    with RuntimeDir(tmp_path / ("x" * 120)) as place, pytest.raises(SocketError, match="too long"):
        place.listen("ndfd.sock", 0o600)
