"""What Linux tells the manager of a service, and takes from it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.platform import PassedDescriptor, ServiceManager
from tests.platform.notified import Notified


@pytest.fixture(params=["path", "abstract"])
def notified(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Notified]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@ndfd-test-{os.getpid()}"
    with Notified(address) as it:
        yield it


def manager_of(notified: Notified, **variables: str) -> ServiceManager:
    return platform.service_manager({"NOTIFY_SOCKET": notified.address, **variables})


def fill(notified: Notified) -> int:
    """Sends to the manager until its queue is full; how many fit."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                other.sendto(b"X=1", notified.socket.getsockname())
                sent += 1
    return sent


def told(notified: Notified, count: int) -> list[dict[str, str]]:
    return [notified.next().lines for _ in range(count)]


@contextlib.contextmanager
def answering(notified: Notified, keep: bool) -> Iterator[list[dict[str, str]]]:
    """A manager that works through what it hears, and closes what it was handed unless it keeps what is stored."""
    heard: list[dict[str, str]] = []
    stored: dict[str, list[int]] = {}

    def serve() -> None:
        while True:
            each = notified.next()
            heard.append(each.lines)
            if "END" in each.lines:
                return
            if keep and "FDSTORE" in each.lines:
                stored.setdefault(each.lines["FDNAME"], []).extend(each.fds)
                continue
            for fd in (*each.fds, *(stored.pop(each.lines["FDNAME"], ()) if "FDSTOREREMOVE" in each.lines else ())):
                os.close(fd)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield heard
    finally:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.sendto(b"END=1", notified.socket.getsockname())
        thread.join()
        for fd in (fd for fds in stored.values() for fd in fds):
            os.close(fd)


@pytest.mark.parametrize(
    ("tell", "lines"),
    [
        (lambda it: it.ready("Serving"), {"READY": "1", "STATUS": "Serving"}),
        (lambda it: it.status("Serving"), {"STATUS": "Serving"}),
        (lambda it: it.stopping("Draining"), {"STOPPING": "1", "STATUS": "Draining"}),
        (lambda it: it.watchdog(), {"WATCHDOG": "1"}),
        (lambda it: it.extend_timeout(1.5), {"EXTEND_TIMEOUT_USEC": "1500000"}),
        (lambda it: it.failed(2, "Failed: no"), {"STATUS": "Failed: no", "ERRNO": "2"}),
        (lambda it: it.failed(0, "Failed: no"), {"STATUS": "Failed: no"}),
        (lambda it: it.main_pid(17), {"MAINPID": "17"}),
        (lambda it: it.unstore("a name"), {"FDSTOREREMOVE": "1", "FDNAME": "a name"}),
    ],
)
def test_each_message_is_one_datagram_of_sd_notify(
    notified: Notified, tell: Callable[[ServiceManager], None], lines: dict[str, str]
) -> None:
    tell(manager_of(notified))
    heard = notified.next()
    assert (heard.lines, heard.fds) == (lines, [])
    assert list(heard.lines) == list(lines)
    assert notified.is_silent()


def test_a_reload_is_told_with_the_moment_of_the_clock_that_never_goes_back(notified: Notified) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager_of(notified).reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    lines = notified.next().lines
    assert lines.pop("RELOADING") == "1"
    assert before <= int(lines.pop("MONOTONIC_USEC")) <= after
    assert lines == {}


def test_a_status_is_one_printable_line_that_fits_into_what_systemd_takes(notified: Notified) -> None:
    manager = manager_of(notified)
    manager.status("Reload refused:\nREADY=1\x1b[31m\u202e\udcff")
    assert notified.next().lines == {"STATUS": "Reload refused: READY=1\\x1b[31m\\u202e\\udcff"}
    manager.ready("\N{PILE OF POO}" * 5000)
    status = notified.next().lines["STATUS"]
    assert status.endswith("…")
    assert 3000 < len(status.encode()) < 4000


def test_stored_descriptors_come_under_their_name(notified: Notified) -> None:
    files = [os.memfd_create("a"), os.memfd_create("b")]
    assert manager_of(notified).store("connections", files)
    heard = notified.next()
    assert heard.lines == {"FDSTORE": "1", "FDNAME": "connections"}
    assert [os.fstat(fd).st_ino for fd in heard.fds] == [os.fstat(fd).st_ino for fd in files]
    for fd in (*files, *heard.fds):
        os.close(fd)


def test_what_finds_the_queue_full_is_sent_in_order_as_soon_as_there_is_room(notified: Notified) -> None:
    manager = manager_of(notified)
    filled = fill(notified)
    manager.ready("one")
    manager.reloading()
    manager.unstore("a")
    manager.stopping("four")
    assert told(notified, filled) == [{"X": "1"}] * filled
    later = told(notified, 4)
    assert [next(iter(lines)) for lines in later] == ["READY", "RELOADING", "FDSTOREREMOVE", "STOPPING"]


def test_a_full_queue_is_seen_before_anything_is_sent(notified: Notified) -> None:
    manager = manager_of(notified)
    assert manager.has_room()
    filled = fill(notified)
    assert not manager.has_room()
    told(notified, filled)
    assert manager.has_room()


def test_of_what_comes_again_by_itself_nothing_is_kept_when_the_queue_is_full(notified: Notified) -> None:
    manager = manager_of(notified)
    filled = fill(notified)
    manager.status("Serving")
    manager.watchdog()
    file = os.memfd_create("a")
    assert not manager.store("connections", (file,))
    told(notified, filled)
    assert notified.is_silent()
    assert manager.store("connections", (file,))
    notified.next().close()
    os.close(file)


def test_nothing_overtakes_what_waits(notified: Notified) -> None:
    manager = manager_of(notified)
    filled = fill(notified)
    manager.ready("first")
    file = os.memfd_create("a")
    # There is room again before the waiting message is sent: whoever comes first must still be behind it.
    told(notified, filled)
    stored = manager.store("connections", (file,))
    order = [next(iter(lines)) for lines in told(notified, 1 + stored)]
    assert order == ["READY", "FDSTORE"][: len(order)]
    os.close(file)


def test_a_manager_that_is_gone_fails_nothing(notified: Notified) -> None:
    manager = manager_of(notified)
    notified.socket.close()
    manager.ready("Serving")
    manager.watchdog()
    manager.unstore("a")
    assert not manager.barrier(0.2)
    assert not manager.keeps_descriptors()


def test_a_barrier_returns_when_the_manager_has_come_to_it(notified: Notified) -> None:
    manager = manager_of(notified)
    assert not manager.barrier(0.05)
    unanswered = notified.next()
    assert (unanswered.lines, len(unanswered.fds)) == ({"BARRIER": "1"}, 1)
    unanswered.close()
    with answering(notified, keep=False) as heard:
        manager.ready("Serving")
        assert manager.barrier(20)
    assert [list(lines) for lines in heard] == [["READY", "STATUS"], ["BARRIER"], ["END"]]


def test_a_barrier_waits_for_what_found_the_queue_full(notified: Notified) -> None:
    manager = manager_of(notified)
    fill(notified)
    manager.stopping("Draining")
    assert not manager.barrier(0.05)
    with answering(notified, keep=False) as heard:
        assert manager.barrier(20)
    names = [next(iter(lines)) for lines in heard]
    assert names.index("STOPPING") < names.index("BARRIER")


def test_whether_descriptors_are_kept_is_found_out_by_one_that_is_taken_back(notified: Notified) -> None:
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    for keep in (True, False):
        manager = manager_of(notified)
        with answering(notified, keep=keep) as heard:
            assert manager.keeps_descriptors() is keep
            assert manager.keeps_descriptors() is keep
        assert [list(lines) for lines in heard] == [
            ["FDSTORE", "FDNAME"],
            ["BARRIER"],
            ["FDSTOREREMOVE", "FDNAME"],
            ["END"],
        ]
        assert heard[0]["FDNAME"] == heard[2]["FDNAME"]
        del manager
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_a_manager_that_says_it_keeps_none_is_not_asked(notified: Notified) -> None:
    assert not manager_of(notified, FDSTORE="0").keeps_descriptors()
    assert notified.is_silent()


@pytest.mark.parametrize("address", ["vsock:2:1234", "relative", "/" + "x" * 200])
def test_an_address_that_is_of_no_use_leaves_the_null_answer_and_a_warning(address: str) -> None:
    manager = platform.service_manager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})
    assert (manager.present, manager.watchdog_s) == (False, None)
    assert len(manager.warnings) == 1
    assert "NOTIFY_SOCKET" in manager.warnings[0]
    manager.ready("Serving")
    assert not manager.store("a", (0,))
    assert not manager.keeps_descriptors()
    assert manager.barrier(0.0)


def test_without_a_manager_there_is_the_null_answer() -> None:
    manager = platform.service_manager({})
    assert (manager.present, manager.watchdog_s, manager.warnings) == (False, None, ())
    assert manager.take_passed() == ()


@pytest.mark.parametrize(
    ("variables", "watchdog_s", "warnings"),
    [
        ({}, None, 0),
        ({"WATCHDOG_USEC": "1500000"}, 1.5, 0),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(os.getpid())}, 1.5, 0),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "1"}, None, 0),
        ({"WATCHDOG_USEC": "0"}, None, 1),
        ({"WATCHDOG_USEC": "soon"}, None, 1),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "me"}, None, 1),
    ],
)
def test_the_watchdog_is_the_one_that_is_meant_for_this_process(
    notified: Notified, variables: dict[str, str], watchdog_s: float | None, warnings: int
) -> None:
    manager = manager_of(notified, **variables)
    assert (manager.watchdog_s, len(manager.warnings)) == (watchdog_s, warnings)


# Runs the rest in a process whose descriptors from 3 on are those of its standard input, as often as it is told.
_PASSED = """
import os, sys
for fd in range(3, 3 + int(sys.argv[1])):
    os.dup2(0, fd)
os.environ["LISTEN_PID"] = str(os.getpid())
from ndfd import platform
from ndfd.errors import NdfdError
manager = platform.service_manager(os.environ)
try:
    print([(each.name, each.fd, os.get_inheritable(each.fd)) for each in manager.take_passed()])
except NdfdError as error:
    print(error.code, error)
print(manager.take_passed())
"""


def passed(open_fds: int, **variables: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PASSED, str(open_fds)],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout.decode().splitlines()


def test_passed_descriptors_come_once_by_name_and_are_not_inherited_any_more() -> None:
    assert passed(3, LISTEN_FDS="3", LISTEN_FDNAMES="varlink:http") == [
        "[('varlink', 3, False), ('http', 4, False), ('unknown', 5, False)]",
        "()",
    ]
    assert passed(1, LISTEN_FDS="1")[0] == "[('unknown', 3, False)]"
    assert passed(0, LISTEN_FDS="0")[0] == "[]"


@pytest.mark.parametrize(("count", "says"), [("two", "'two'"), ("-1", "'-1'"), ("", "''"), ("2", "descriptor 4")])
def test_passed_descriptors_that_are_not_as_announced_are_an_error_that_says_how(count: str, says: str) -> None:
    first = passed(1, LISTEN_FDS=count)[0]
    assert first.startswith("socket-unusable LISTEN_FDS: ")
    assert says in first


@pytest.mark.parametrize("pid", [None, "1", "me", ""])
def test_descriptors_for_another_process_are_left_alone(pid: str | None) -> None:
    variables = {"LISTEN_FDS": "1"} | ({} if pid is None else {"LISTEN_PID": pid})
    manager = platform.service_manager({"NOTIFY_SOCKET": "/nobody", **variables})
    empty: tuple[PassedDescriptor, ...] = ()
    assert manager.take_passed() == empty
    assert len(manager.warnings) == (pid in ("me", ""))
