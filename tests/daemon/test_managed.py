"""A daemon under a service manager: what it is handed, and what it tells."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndfd.errors import ConfigError, NdfdError
from ndfd.model.conversion import PageReport
from ndfd.model.jobs import JobOptions
from tests import documents
from tests.daemon.conftest import environment
from tests.daemon.managed import ONE_WORKER, Manager, listening, managing

_TOKEN = "correct-horse-battery"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with managing(tmp_path) as it:
        yield it


@pytest.fixture
def doors(manager: Manager) -> Iterator[list[socket.socket]]:
    with listening(manager.sockets / "ndfd.sock", manager.sockets / "http.sock") as it:
        yield it


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """The sockets there: inode and mode of each."""
    return {path.name: (path.stat().st_ino, path.stat().st_mode & 0o777) for path in folder.glob("*.sock*")}


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def stop(manager: Manager) -> int:
    assert manager.process is not None
    manager.process.terminate()
    return manager.process.wait(60)


def get(sock: socket.socket, path: str = "/health") -> bytes:
    """The answer of an HTTP door on this connection."""
    sock.settimeout(20)
    request = f"GET {path} HTTP/1.1\r\nHost: ndfd\r\nAuthorization: Bearer {_TOKEN}\r\nConnection: close\r\n\r\n"
    sock.sendall(request.encode())
    answer = b""
    while piece := sock.recv(65536):
        answer += piece
    return answer


# Sockets


def test_it_serves_on_the_sockets_of_the_manager_and_leaves_their_files(
    manager: Manager, doors: list[socket.socket]
) -> None:
    before = files(manager.sockets)
    process = manager.start(*doors)
    # Who connects before it is ready waits.
    with manager.client() as client:
        assert client.status().pid == process.pid
    assert stop(manager) == 0
    assert files(manager.sockets) == before
    assert len(before) == 2
    # Who connects when there is none waits for the next one.
    with manager.client() as client:
        process = manager.start(*doors)
        assert client.status().pid == process.pid


def test_a_door_that_the_manager_does_not_listen_for_is_its_own(manager: Manager) -> None:
    with listening(manager.sockets / "http.sock") as socks:
        manager.start(*socks)
        manager.wait_for("READY")
        with manager.client() as client:
            client.status()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(manager.sockets / "http.sock"))
            assert b'{"status":"ok"}' in get(sock)
        stop(manager)
        assert list(files(manager.sockets)) == ["http.sock"]


def test_two_daemons_with_the_same_sockets_are_told_apart(manager: Manager, doors: list[socket.socket]) -> None:
    first = manager.start(*doors)
    manager.wait_for("READY")
    second = manager.start(*doors)
    assert second.wait(60) == 69
    assert f"another daemon (pid {first.pid}) runs there" in manager.told("STATUS")[-1]["STATUS"]
    with manager.client() as client:
        assert client.status().pid == first.pid
    first.kill()
    first.wait()


def test_sockets_in_another_folder_than_the_configured_one_are_refused(
    manager: Manager, doors: list[socket.socket], tmp_path: Path
) -> None:
    process = manager.start(*doors, NDFD_NETWORK__SOCKET_DIR=str(tmp_path / "elsewhere"))
    assert process.wait(60) == 69
    (failed,) = manager.told("STATUS")
    assert failed["STATUS"].startswith(
        f"Failed: the service manager listens in {manager.sockets}, "
        f"and [network] socket_dir is {tmp_path / 'elsewhere'}; set socket_dir"
    )
    assert not (tmp_path / "elsewhere").exists()


def test_a_mode_that_the_manager_has_not_given_its_sockets_is_warned_about(
    manager: Manager, doors: list[socket.socket]
) -> None:
    before = files(manager.sockets)
    manager.start(*doors)
    manager.wait_for("READY")
    assert "socket_mode" not in manager.log.read_text()
    (manager.root / "etc" / "config.toml").write_text(ONE_WORKER + '[network]\nsocket_mode = "0600"\n')
    with manager.client() as client:
        client.reload()
        client.reload()
    assert manager.log.read_text().count("socket_mode has no effect") == 2
    assert files(manager.sockets) == before
    assert {mode for _, mode in before.values()} == {0o660}


def test_no_child_has_the_managers_sockets_or_variables(manager: Manager, doors: list[socket.socket]) -> None:
    process = manager.start(*doors)
    manager.wait_for("READY")
    with manager.client() as client:
        (worker,) = client.status().workers
    theirs = {os.fstat(sock.fileno()).st_ino for sock in doors}
    theirs |= {os.fstat(fd).st_ino for fds in manager.stored.values() for fd in fds}
    pids = {*children(process.pid), worker.pid}
    assert len(pids) == 2
    for pid in pids:
        seen = Path(f"/proc/{pid}/environ").read_bytes()
        assert not any(name in seen for name in (b"NOTIFY_SOCKET", b"LISTEN_", b"WATCHDOG_", b"FDSTORE"))
        fds = {path.stat().st_ino for path in Path(f"/proc/{pid}/fd").iterdir()}
        assert fds
        assert not fds & theirs
    # The daemon itself has them, so that the comparison can fail.
    assert theirs <= {path.stat().st_ino for path in Path(f"/proc/{process.pid}/fd").iterdir()}


# Start, reload, stop


def test_it_is_ready_when_a_worker_has_served_and_the_doors_are_open(
    manager: Manager, doors: list[socket.socket]
) -> None:
    manager.start(*doors)
    until = manager.wait_for("READY")
    before = [lines for _, lines in manager.heard[: until - 1]]
    steps = [lines["STATUS"] for lines in before if "STATUS" in lines]
    assert steps[0] == "Starting: checking the job store"
    assert steps[-1] == "Starting: the workers"
    assert all(int(lines["EXTEND_TIMEOUT_USEC"]) > 0 for lines in before if "EXTEND_TIMEOUT_USEC" in lines)
    # Each step asks for the time that it may take.
    assert sum("EXTEND_TIMEOUT_USEC" in lines for lines in before) >= len(steps)
    assert manager.heard[until - 1][1]["STATUS"] == (
        "Serving: 1 worker, 0 converting, 0 queued; 0 documents done, 0 failed"
    )
    with manager.client() as client:
        assert [worker.served for worker in client.status().workers] == [1]


def test_an_older_store_is_migrated_with_the_managers_patience(manager: Manager, doors: list[socket.socket]) -> None:
    manager.start(*doors)
    manager.wait_for("READY")
    stop(manager)
    take_back = (
        "import sys; from pathlib import Path; from ndfd.store.database import connect; "
        "from ndfd.store.migrations import migrate; c = connect(Path(sys.argv[1])); migrate(c, 1); c.close()"
    )
    (database,) = (manager.root / "state").glob("*.db")
    subprocess.run([sys.executable, "-c", take_back, str(database)], check=True)
    seen = len(manager.heard)
    manager.start(*doors)
    at = manager.wait_for("STATUS", "Starting: migrating the job store", after=seen)
    assert "EXTEND_TIMEOUT_USEC" in manager.heard[manager.wait_for("EXTEND_TIMEOUT_USEC", after=at) - 1][1]
    manager.wait_for("READY", after=at)


def test_every_reload_is_told_from_its_beginning_to_its_end_whatever_comes_of_it(
    manager: Manager, doors: list[socket.socket]
) -> None:
    process = manager.start(*doors)
    at = manager.wait_for("READY")
    process.send_signal(signal.SIGHUP)
    at = manager.wait_for("READY", after=at)
    with manager.client() as client:
        client.reload()
        client.reload(dry_run=True)
        at = manager.wait_for("READY", "1", after=at)
        (manager.root / "etc" / "config.toml").write_text("[swarm]\nwrkers = 1\n")
        with pytest.raises(ConfigError):
            client.reload()
    at = manager.wait_for("READY", after=at)
    told = [(moment, lines) for moment, lines in manager.heard if lines.keys() & {"RELOADING", "READY"}]
    assert [next(iter(lines)) for _, lines in told] == ["READY", *["RELOADING", "READY"] * 3]
    moments = [int(lines["MONOTONIC_USEC"]) / 1e6 for _, lines in told if "RELOADING" in lines]
    ready = [moment for moment, lines in told if "READY" in lines]
    # Each was read after the end of the reload before it.
    assert all(before <= moment <= after for before, moment, after in zip(ready[:-1], moments, ready[1:], strict=True))
    refused = told[-1][1]["STATUS"]
    assert refused.startswith("Reload refused: ")
    assert "swarm.wrkers: there is no such key" in refused
    assert ", the old configuration serves on. Serving: 1 worker" in refused
    (manager.root / "etc" / "config.toml").write_text(ONE_WORKER)
    process.send_signal(signal.SIGHUP)
    manager.wait(lambda lines: lines.get("STATUS", "").startswith("Serving: "), after=at)


def test_its_end_is_told_first_and_then_only_how_it_goes_on(manager: Manager, doors: list[socket.socket]) -> None:
    process = manager.start(*doors, text=ONE_WORKER + '[runtime]\ndrain_timeout = "20s"\n')
    at = manager.wait_for("READY")

    def on_page(page: PageReport) -> None:
        if page.number == 1:
            process.terminate()
            # It goes on while it drains, and ends in time.
            manager.wait_for("STOPPING", after=at)

    with manager.client() as client, client.convert(documents.slow_second_page(40), on_page=on_page) as conversion:
        assert conversion.report.pages == 3
    assert process.wait(60) == 0
    rest = [lines for _, lines in manager.heard[manager.wait_for("STOPPING", after=at) - 1 :]]
    assert rest[0] == {"STOPPING": "1", "STATUS": "Draining: 1 conversion under way, 20 s left"}
    assert rest[1] == {"EXTEND_TIMEOUT_USEC": "50000000"}
    assert {name for lines in rest[1:] for name in lines} <= {"STATUS", "EXTEND_TIMEOUT_USEC", "BARRIER"}
    assert rest[-2:] == [{"STATUS": "Stopped"}, {"BARRIER": "1"}]


def test_what_runs_gets_the_configured_time_and_the_manager_hears_how_much_is_left(
    manager: Manager, doors: list[socket.socket]
) -> None:
    process = manager.start(*doors)
    manager.wait_for("READY")
    # A reload changes it.
    (manager.root / "etc" / "config.toml").write_text(ONE_WORKER + "[runtime]\ndrain_timeout = 3\n")

    def on_page(page: PageReport) -> None:
        if page.number == 1:
            process.terminate()

    with manager.client() as client:
        client.reload()
        with pytest.raises(NdfdError):
            client.convert(documents.slow_second_page(10_000_000), on_page=on_page)
    assert process.wait(60) == 0
    assert {lines["STATUS"] for lines in manager.told("STATUS")} >= {
        "Draining: 1 conversion under way, 3 s left",
        "Draining: 1 conversion under way, 1 s left",
    }


def test_what_it_does_is_told_without_a_watchdog_too(manager: Manager, doors: list[socket.socket]) -> None:
    manager.start(*doors)
    at = manager.wait_for("READY")
    with manager.client() as client:
        client.convert(documents.numbered_pages(1)).close()
        with pytest.raises(NdfdError):
            client.convert(documents.plain_text())
    manager.wait_for("STATUS", "1 document done, 1 failed", after=at)
    # Both changes are one line.
    assert sum("STATUS" in lines for _, lines in manager.heard[at:]) == 1
    assert not manager.told("WATCHDOG")


@pytest.mark.parametrize(
    ("variables", "status", "says", "number"),
    [
        ({"NDFD_SWARM__WORKERS": "0"}, 78, "swarm.workers", None),
        ({"NDFD_SWARM__CPUS": "4000"}, 78, "CPU 4000", None),
        ({"NDFD_NETWORK__SOCKET_DIR": "/dev/null/run"}, 69, "/dev/null/run cannot be made: Not a directory", "20"),
        ({"NDFD_STORAGE__STATE_DIR": "/dev/null/state"}, 74, "/dev/null/state cannot be used: Not a directory", "20"),
        ({"NDFD_NATIVE": "fortran"}, 78, "fortran", None),
    ],
)
def test_why_it_does_not_start_is_the_last_that_is_told(
    manager: Manager, variables: dict[str, str], status: int, says: str, number: str | None
) -> None:
    process = manager.start(**variables)
    assert process.wait(60) == status
    failed = manager.told("STATUS")[-1]
    assert failed["STATUS"].startswith("Failed: ")
    assert says in failed["STATUS"]
    assert failed.get("ERRNO") == number
    assert not manager.told("READY")


def test_a_private_daemon_does_not_speak_for_the_service_that_has_started_it(manager: Manager, tmp_path: Path) -> None:
    variables = environment(NOTIFY_SOCKET=str(manager.root / "notify"), WATCHDOG_USEC="1000000")
    with subprocess.Popen(
        [sys.executable, "-m", "ndfd", "run", "--private", str(tmp_path / "private")],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert b"sockets" in process.stdout.readline()
        process.terminate()
    assert process.returncode == 0
    assert not manager.heard


def test_a_manager_that_keeps_nothing_is_asked_once(tmp_path: Path) -> None:
    with managing(tmp_path, keeps=False) as manager:
        manager.start()
        manager.wait_for("READY")
        with manager.client() as client:
            client.status()
        stop(manager)
        assert [lines["FDNAME"] for lines in manager.told("FDSTORE")] == ["probe"]
        # The sockets are its own.
        assert not files(manager.sockets)


# The network's listening socket


def reached(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 20)


def network(port: int) -> str:
    return f'{ONE_WORKER}[network]\nbind_address = "127.0.0.1:{port}"\n'


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(probe.getsockname()[1]) for probe in probes]


def test_whoever_connects_over_the_network_between_two_daemons_waits_for_the_next(manager: Manager) -> None:
    first_port, other_port = free_ports(2)
    secret = {"NDFD_SECURITY__TOKEN": _TOKEN}
    manager.start(text=network(first_port), **secret)
    manager.wait_for("READY")
    stop(manager)
    assert len(manager.stored["listener-network"]) == 1
    with reached(first_port) as waiting:
        at = len(manager.heard)
        manager.start(text=network(first_port), **secret)
        assert b'{"status":"ok"}' in get(waiting)
        manager.wait_for("READY", after=at)
    assert not [lines for lines in manager.told("FDSTOREREMOVE") if lines["FDNAME"] != "probe"]
    # At another address the former one is let go: by a reload,
    (manager.root / "etc" / "config.toml").write_text(network(other_port))
    with manager.client() as client:
        client.reload()
    with pytest.raises(ConnectionRefusedError):
        reached(first_port)
    # and by a start.
    stop(manager)
    at = len(manager.heard)
    manager.start(text=network(first_port), **secret)
    manager.wait_for("READY", after=at)
    with reached(first_port) as sock:
        assert b'{"status":"ok"}' in get(sock)
    with pytest.raises(ConnectionRefusedError):
        reached(other_port)
    assert len(manager.stored["listener-network"]) == 1


# The watchdog


@contextlib.contextmanager
def watched(tmp_path: Path) -> Iterator[tuple[Manager, subprocess.Popen[bytes], int]]:
    """A daemon that is impatient, its manager, and how much that has heard up to its being ready."""
    with managing(tmp_path, watchdog_s=0.6) as manager:
        process = manager.start(program="tests.daemon.impatient_daemon", STORE_HELD_BY=str(tmp_path / "held"))
        yield manager, process, manager.wait_for("READY")


def silent(manager: Manager, after: int) -> int:
    """Returns when the watchdog was not told for some of its turns; how much was heard up to then."""
    at = manager.wait_for("STATUS", "Stuck: ", after=after)
    for _ in range(4):
        at = manager.wait_for("STATUS", "Stuck: ", after=at)
    since = manager.wait_for("STATUS", "Stuck: ", after=after)
    assert not [lines for _, lines in manager.heard[since:at] if "WATCHDOG" in lines]
    return at


def test_the_watchdog_hears_of_a_daemon_that_goes_on_and_sees_what_it_does(tmp_path: Path) -> None:
    with watched(tmp_path) as (manager, _, at):
        for _ in range(4):
            at = manager.wait_for("WATCHDOG", after=at)
        with manager.client() as client:
            client.convert(documents.numbered_pages(1)).close()
        manager.wait_for("STATUS", "1 document done, 0 failed", after=at)


def test_the_watchdog_is_silent_when_a_worker_does_not_come_to_be(tmp_path: Path) -> None:
    with watched(tmp_path) as (manager, process, at):
        with manager.client() as client:
            (worker,) = client.status().workers
        (zygote,) = children(process.pid)
        os.kill(zygote, signal.SIGSTOP)
        os.kill(worker.pid, signal.SIGKILL)
        at = silent(manager, at)
        assert "the start of worker 2 has come to no end for" in manager.told("STATUS")[-1]["STATUS"]
        assert manager.log.read_text().count("stuck: the service manager's watchdog") == 1
        # The loop turns: it answers.
        with manager.client() as client:
            client.status()
        os.kill(zygote, signal.SIGCONT)
        at = manager.wait_for("WATCHDOG", after=at)
        manager.wait_for("STATUS", "Serving: 1 worker", after=at)


def test_the_watchdog_is_silent_when_the_store_does_not_write_and_an_abort_says_where(tmp_path: Path) -> None:
    with watched(tmp_path) as (manager, process, at):
        held = tmp_path / "held"
        held.touch()

        def submit() -> None:
            with manager.client() as client, contextlib.suppress(NdfdError):
                client.submit(documents.numbered_pages(1), JobOptions())

        thread = threading.Thread(target=submit)
        thread.start()
        at = silent(manager, at)
        assert "has not written for" in manager.told("STATUS")[-1]["STATUS"]
        held.unlink()
        thread.join()
        at = manager.wait_for("WATCHDOG", after=at)
        held.touch()
        thread = threading.Thread(target=submit)
        thread.start()
        silent(manager, at)
        # As systemd does when the watchdog's limit is over.
        process.send_signal(signal.SIGABRT)
        assert process.wait(60) == -signal.SIGABRT
        manager.drop()
        thread.join()
        log = manager.log.read_text()
        assert "Fatal Python error: Aborted" in log
        assert "in stand_still" in log
        assert log.count("Thread 0x") > 2
