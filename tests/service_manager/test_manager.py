"""What `ndfd.testing`'s service manager does beyond what systemd's suite can see."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ndfd.testing.service_manager import Manager, ServiceFailed, State
from tests.service_manager.managed import SERVICE
from tests.service_manager.service import ask

#: Tells what it is given on its command line, line by line, and stays.
_TELLS = """
import os, signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
    sender.connect(os.environ["NOTIFY_SOCKET"])
    for message in sys.argv[1:]:
        sender.send(message.encode())
while True:
    signal.pause()
"""


@contextmanager
def managed(folder: Path, *command: str, **options: Any) -> Iterator[Manager]:
    with Manager(folder, command, {"PATH": os.environ["PATH"]}, **options) as manager:
        yield manager


def telling(*messages: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", _TELLS, *messages)


def service() -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", str(SERVICE))


def test_a_command_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with managed(tmp_path, "/no/such/program", restart_delay_s=3600) as manager:
        with pytest.raises(ServiceFailed, match="has ended: auto-restart, resources"):
            manager.wait_ready()
        assert manager.pid == 0


def test_a_service_that_ends_before_it_is_ready_is_told_with_its_log(tmp_path: Path) -> None:
    with (
        managed(tmp_path, sys.executable, "-c", "print('no room'); exit(3)", restart_delay_s=3600) as manager,
        pytest.raises(ServiceFailed, match=r"(?s)exit-code, exit code 3\n.*no room"),
    ):
        manager.wait_ready()


def test_a_start_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with managed(tmp_path, *telling("STATUS=never ready"), start_limit_s=0.3, stop_limit_s=0.2) as manager:
        manager.wait_for(lambda manager: manager.restarts == 1)
        assert manager.exit_code == -signal.SIGKILL
        assert [what for _, what in manager.history].count(State.STARTING) == 2


def test_a_start_may_take_longer_when_the_service_says_so(tmp_path: Path) -> None:
    extended = telling("EXTEND_TIMEOUT_USEC=3600000000")
    with managed(tmp_path, *extended, start_limit_s=0.3, stop_limit_s=0.2) as manager:
        manager.wait_for(lambda manager: bool(manager.messages))
        with pytest.raises(ServiceFailed, match="did not come to that within 1 s"):
            manager.wait_for(lambda manager: manager.state is not State.STARTING, limit_s=1)


def test_a_service_may_ask_for_its_watchdog(tmp_path: Path) -> None:
    with managed(tmp_path, *telling("READY=1", "WATCHDOG=trigger"), restart_delay_s=3600) as manager:
        manager.wait_for(lambda manager: manager.state is State.PAUSING)
        assert (manager.result, manager.exit_code) == ("watchdog", -signal.SIGABRT)


def test_messages_are_kept_with_their_time_and_sender(tmp_path: Path) -> None:
    begun_s = time.monotonic()
    told = telling("READY=1\nSTATUS=one", "no assignment", "STATUS=two=three")
    with managed(tmp_path, *told, stop_limit_s=0.2) as manager:
        manager.wait_for(lambda manager: manager.status_text == "two=three")
        assert [dict(each.fields) for each in manager.messages] == [
            {"READY": "1", "STATUS": "one"},
            {},
            {"STATUS": "two=three"},
        ]
        assert all(each.pid == manager.pid for each in manager.messages)
        assert begun_s < manager.messages[0].at_s < time.monotonic()


def test_a_reload_that_is_not_told_of_fails_and_the_service_serves_on(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + _TELLS
    with managed(tmp_path, sys.executable, "-I", "-S", "-c", deaf, "READY=1", stop_limit_s=0.2) as manager:
        manager.wait_ready()
        manager.unit.limits_s[State.RELOADING] = 0.2
        with pytest.raises(ServiceFailed, match="did not reload: active"):
            manager.reload()


def test_everything_is_gone_after_the_block(tmp_path: Path) -> None:
    with managed(tmp_path, *service()) as manager:
        manager.wait_ready()
        left = ask(str(tmp_path / "ndfd.sock"), "leave_child")
        pid = manager.pid
    assert not Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{left}").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log"]
    with pytest.raises(ServiceFailed, match="does not run"):
        manager.kill()


def test_whoever_connects_while_there_is_no_service_is_served_by_the_next(tmp_path: Path) -> None:
    with managed(tmp_path, *service()) as manager:
        manager.wait_ready()
        manager.stop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waiting:
            waiting.connect(str(tmp_path / "ndfd.sock"))
            waiting.sendall(b'["barrier"]')
            waiting.shutdown(socket.SHUT_WR)
            manager.start()
            assert waiting.recv(100) == b"true"


def test_more_descriptors_than_one_message_carries_are_passed(tmp_path: Path) -> None:
    with managed(tmp_path, *service(), store_max=700) as manager:
        manager.wait_ready()
        for number in range(600):
            ask(str(tmp_path / "ndfd.sock"), "keep_text", f"name {number}", str(number))
        manager.restart()
        passed = ask(str(tmp_path / "ndfd.sock"), "report")["passed"]
        assert passed[2:] == [[f"name {number}", str(number)] for number in reversed(range(600))]
