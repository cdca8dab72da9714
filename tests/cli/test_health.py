"""`ndfd health`, before daemons that are well, and before those that start, stop, hang or are not there."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ndfd.model.status import PoolStatus
from tests.cli.conftest import Ndfd
from tests.server.doors import Doors

Start = Callable[..., "subprocess.Popen[bytes]"]


def test_a_daemon_that_is_well_is_said_to_be_so_on_one_line(ndfd_at: Ndfd, doors: Doors) -> None:
    ran = ndfd_at("health")
    assert (ran.status, ran.stderr) == (0, "")
    assert re.fullmatch(rf"healthy: {doors.http_path} answered in \d+ ms\n", ran.stdout)


@pytest.mark.parametrize("beside", ["ndfd.sock", "http.sock", "."])
def test_any_socket_of_the_daemon_or_their_folder_may_be_named(ndfd: Ndfd, doors: Doors, beside: str) -> None:
    assert ndfd("health", "--socket", doors.http_path.parent / beside).status == 0


def test_for_programs_it_is_one_json_object(ndfd_at: Ndfd, doors: Doors) -> None:
    answer = json.loads(ndfd_at("health", "--json").stdout)
    assert answer.pop("took_ms") >= 0
    assert answer == {"status": "ok", "socket": str(doors.http_path)}


def test_quiet_says_nothing_and_ends_with_the_same_status(ndfd_at: Ndfd, ndfd: Ndfd, doors: Doors) -> None:
    well = ndfd_at("health", "--quiet")
    away = ndfd("health", "-q", "--socket", "/nowhere/ndfd.sock")
    assert (well.status, well.stdout, well.stderr) == (0, "", "")
    assert (away.status, away.stdout, away.stderr) == (69, "", "")


def test_a_daemon_that_stops_is_asked_again_later(ndfd_at: Ndfd, doors: Doors) -> None:
    doors.occupancy.closed = True
    ran = ndfd_at("health")
    assert (ran.status, ran.stdout, ran.stderr) == (75, "not healthy: the daemon is stopping\n", "")
    answer = json.loads(ndfd_at("health", "--json").stdout)
    assert (answer["status"], answer["reason"]) == ("unavailable", "the daemon is stopping")


def test_one_without_a_worker_that_works_says_why(ndfd_at: Ndfd, doors: Doors) -> None:
    doors.workers = ()
    doors.pools = (PoolStatus("default", "extractor", 1, 1, 0, error="the zygote ended\x1b[2J"),) * 2
    ran = ndfd_at("health")
    # A terminal obeys none of the daemon's words.
    assert (ran.status, ran.stdout) == (75, "not healthy: the zygote ended\\x1b[2J\n")


def test_where_there_is_none_it_says_where_it_looked(ndfd: Ndfd, tmp_path: Path) -> None:
    ran = ndfd("health", "--socket", tmp_path / "ndfd.sock")
    assert ran.status == 69
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"ndfd: no daemon answers at {tmp_path}/http.sock: it is not there, or is starting (")
    answer = json.loads(ndfd("health", "--json", "--socket", tmp_path / "ndfd.sock").stdout)
    assert answer["status"] == "daemon-unavailable"


def test_a_socket_that_a_dead_daemon_left_is_not_healthy(ndfd: Ndfd, tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "http.sock"))
    left.close()
    ran = ndfd("health", "--socket", tmp_path)
    assert ran.status == 69
    assert "Connection refused" in ran.stderr


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """Where nobody accepts, as while a service manager holds the socket of a daemon that starts."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "http.sock"))
        made.listen(1)
        yield made


def test_one_that_accepts_nothing_is_given_up_after_the_time(
    ndfd: Ndfd, tmp_path: Path, listener: socket.socket
) -> None:
    ran = ndfd("health", "--socket", tmp_path, "--timeout", "0.2")
    assert ran.status == 69
    assert f"the daemon at {tmp_path}/http.sock did not answer for 0.2 s" in ran.stderr


def test_one_whose_queue_is_full_is_given_up_after_the_time(
    ndfd: Ndfd, tmp_path: Path, listener: socket.socket
) -> None:
    waiting = []
    try:
        while True:
            waiting.append(socket.socket(socket.AF_UNIX))
            waiting[-1].setblocking(False)
            waiting[-1].connect(str(tmp_path / "http.sock"))
    except BlockingIOError:
        pass
    ran = ndfd("health", "--socket", tmp_path, "--timeout", "0.2")
    for each in waiting:
        each.close()
    assert ran.status == 69
    assert "did not answer for 0.2 s" in ran.stderr


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n\r\nhello", b"HTTP/1.1 200\r\n\r\n[]"]
)
def test_what_is_no_daemon_is_not_healthy(start: Start, tmp_path: Path, listener: socket.socket, answer: bytes) -> None:
    process = start("health", "--socket", tmp_path)
    connection, _ = listener.accept()
    with connection:
        assert connection.recv(1000).startswith(b"GET /health HTTP/1.1\r\n")
        connection.sendall(answer)
    said = process.communicate()[1].decode()
    assert process.returncode == 69
    assert len(said.splitlines()) == 1
    assert ("is no ndfd" if answer else "without an answer") in said


def test_who_may_not_ask_is_told_so(tmp_path: Path, listener: socket.socket) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    # Not `ndfd` itself: another user may not read where it is installed.
    os.chmod(tmp_path / "http.sock", 0o600)  # noqa: PTH101
    from ndfd.cli.health import _asked
    from ndfd.errors import NotPermitted

    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(NotPermitted, match="this user may not use the daemon's socket"):
            _asked(tmp_path, 1e9, 1.0)
    finally:
        os.seteuid(0)


def test_a_real_daemon_is_healthy_when_it_is_ready_and_not_before_after_or_while_it_hangs(
    ndfd: Ndfd, start: Start, tmp_path: Path
) -> None:
    folder = tmp_path / "s"
    asked = ("health", "--socket", folder, "--timeout", "20", "--quiet")
    places = ("--set", f"network.socket_dir={folder}", "--set", f"storage.state_dir={tmp_path / 'state'}")
    process = start("run", *places, "--set", "swarm.workers=1", stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    while not select.select([process.stdout], [], [], 0)[0]:
        # The answer may be just about to change.
        if ndfd(*asked).status == 0:
            break
    assert b"is ready" in process.stdout.readline()
    assert ndfd(*asked).status == 0
    process.send_signal(signal.SIGSTOP)
    assert ndfd("health", "--socket", folder, "--timeout", "0.2").status == 69
    process.send_signal(signal.SIGCONT)
    assert ndfd(*asked).status == 0
    process.terminate()
    assert process.wait(20) == 0
    assert ndfd(*asked).status == 69
