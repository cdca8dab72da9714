"""Where the daemon listens, what it will not remove, and who calls."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.errors import SocketError


def connect(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(str(path))
    return sock


def leave_stale_socket(path: Path) -> None:
    """As a daemon that was killed leaves it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(str(path))


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_a_listener_has_its_mode_whatever_the_umask_and_nothing_else_is_left(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "ndfd.sock"
    before = os.umask(0o077)
    try:
        listener = platform.listen(path, mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert list(tmp_path.iterdir()) == [path]
    with connect(path):
        pass
    listener.socket.close()


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "ndfd.sock"
    leave_stale_socket(path)
    listener = platform.listen(path, mode=0o600)
    with connect(path):
        pass
    listener.socket.close()


@pytest.mark.parametrize("kind", ["file", "folder", "symlink"])
def test_what_is_no_socket_is_not_removed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ndfd.sock"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        leave_stale_socket(tmp_path / "other")
        path.symlink_to(tmp_path / "other")
    with pytest.raises(SocketError, match="is no socket"):
        platform.listen(path, mode=0o600)
    assert path.lstat()


def test_a_socket_that_a_daemon_answers_on_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "ndfd.sock"
    first = platform.listen(path, mode=0o600)
    with pytest.raises(SocketError, match="a daemon already answers"):
        platform.listen(path, mode=0o600)
    with connect(path):
        first.socket.accept()[0].close()
    first.socket.close()


def test_a_daemon_whose_backlog_is_full_still_counts_as_answering(tmp_path: Path) -> None:
    path = tmp_path / "ndfd.sock"
    first = platform.listen(path, mode=0o600, backlog=0)
    with connect(path), pytest.raises(SocketError, match="a daemon already answers"):
        platform.listen(path, mode=0o600)
    first.socket.close()


def test_a_socket_of_another_kind_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "ndfd.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(SocketError, match="cannot tell"):
            platform.listen(path, mode=0o600)
        assert path.exists()


def test_a_listener_removes_its_own_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "ndfd.sock"
    first = platform.listen(path, mode=0o600)
    first.socket.close()
    second = platform.listen(path, mode=0o600)
    first.remove_file()
    assert path.exists()
    second.remove_file()
    assert not path.exists()
    second.remove_file()
    second.socket.close()


def test_a_path_too_long_for_a_socket_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(SocketError, match="too long"):
        platform.listen(tmp_path / ("x" * 120), mode=0o600)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SocketError, match="No such file"):
        platform.listen(tmp_path / "missing" / "ndfd.sock", mode=0o600)


def test_the_kernel_says_who_calls(tmp_path: Path) -> None:
    listener = platform.listen(tmp_path / "ndfd.sock", mode=0o600)
    with connect(tmp_path / "ndfd.sock"):
        connection = listener.socket.accept()[0]
        peer = platform.peer_identity(connection)
        connection.close()
    assert peer == platform.Peer(os.geteuid(), os.getegid(), os.getpid())
    listener.socket.close()


def test_a_folder_for_sockets_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "ndfd"
    platform.make_socket_dir(folder)
    platform.make_socket_dir(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_is_a_link_or_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(SocketError):
            platform.make_socket_dir(tmp_path / name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(SocketError, match="belongs to user 12345"):
        platform.make_socket_dir(folder)


def test_sockets_lie_in_the_runtime_folder_of_the_service_or_the_user() -> None:
    assert platform.socket_dirs({"XDG_RUNTIME_DIR": "/run/user/7"}) == platform.SocketDirs(
        Path("/run/ndfd"), Path("/run/user/7/ndfd")
    )
    assert platform.socket_dirs({"TMPDIR": "/scratch"}).user == Path(f"/scratch/ndfd-{os.geteuid()}")
    assert platform.socket_dirs({}).user == Path(f"/tmp/ndfd-{os.geteuid()}")


def test_what_was_looked_at_is_not_given_again_and_is_there_until_it_is_consumed() -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with one, other:
        platform.resuming.prepare_peeking(other)
        for piece in (b"first", b"second"):
            one.sendall(piece)
            assert other.recv(100, socket.MSG_PEEK) == piece
        assert other.recv(7) == b"firstse"
        # Whoever has another descriptor of the socket has the same offset, and may begin anew.
        with other.dup() as again:
            assert platform.resuming.peeked_bytes(again) == len(b"cond")
            platform.resuming.prepare_peeking(again)
            assert again.recv(100, socket.MSG_PEEK) == b"cond"
