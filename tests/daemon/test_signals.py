"""What signals ask of a daemon beside stopping: its state in the log, its log file anew. And when they come early."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ndfd.daemon.state_dump import DaemonState, StateDump
from ndfd.model.conversion import ConvertOptions, PageReport
from ndfd.model.status import DaemonStatus
from tests import documents
from tests.daemon.conftest import Running, Start

_TOKEN = "correct-horse-battery-staple"


def records(log: Path) -> list[dict[str, Any]]:
    """Those of whole lines."""
    return [json.loads(line) for line in log.read_text().rpartition("\n")[0].splitlines()]


def wait_for_state(log: Path) -> list[dict[str, Any]]:
    """The records of the log once a whole state is in it, of which the threads come last."""
    while True:
        found = records(log)
        threads = [record["threads"] for record in found if record["event"] == "state of the process"]
        if threads == [sum(record["event"] == "state of a thread" for record in found)]:
            return found
        os.sched_yield()


def wait_for(log: Path, event: str) -> list[dict[str, Any]]:
    """The records of the log once it has one of this event; the test's time limit ends the wait for one without."""
    while not any(record["event"] == event for record in records(log)):
        os.sched_yield()
    return records(log)


def ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    assert b"is ready" in process.stdout.readline()


@pytest.fixture
def logging_daemon(start: Start, tmp_path: Path) -> Running:
    """One with one worker and a token, that writes nothing below errors into tmp_path/log."""
    process = start(
        NDFD_LOGGING__OUTPUT=str(tmp_path / "log"), NDFD_LOGGING__LEVEL="error", NDFD_SECURITY__TOKEN=_TOKEN
    )
    ready(process)
    return Running(process, tmp_path / "run", "")


def test_sigusr1_tells_the_state_of_a_daemon_that_converts(logging_daemon: Running, tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []

    def on_page(page: PageReport) -> None:
        if page.number == 1:
            logging_daemon.process.send_signal(signal.SIGUSR1)
            told.extend(wait_for_state(tmp_path / "log"))

    with logging_daemon.client() as client:
        options = ConvertOptions(name="report.pdf")
        client.convert(documents.slow_second_page(40), options, on_page=on_page).close()
    by_event = {record["event"]: record for record in told}
    process = by_event["state of the process"]
    assert process["pid"] == logging_daemon.process.pid
    assert 10 < process["descriptors"] < process["descriptors_max"]
    assert process["rss_bytes"] > 10_000_000
    assert by_event["state of the daemon"]["connections_varlink"] == 1
    assert by_event["state of the daemon"]["connections_http"] == 0
    worker = by_event["state of a worker"]
    assert (worker["state"], worker["document"], worker["page"]) == ("busy", "report.pdf", 1)
    assert worker["busy_s"] >= 0
    assert by_event["state of the jobs"]["running"] == 0
    tasks = [record for record in told if record["event"] == "state of tasks"]
    serving = next(record for record in tasks if any(name.startswith("varlink uid=") for name in record["names"]))
    assert re.search(r"varlink_connection\.py:\d+ in Connection\.run\n", serving["stack"])
    assert sum(record["tasks"] for record in tasks) == process["tasks"]
    (main,) = [record for record in told if record.get("thread_name") == "MainThread"]
    assert "in BaseEventLoop._run_once\n" in main["stack"]
    assert "state_dump.py" not in main["stack"]
    assert len({record["dump"] for record in told}) == 1
    text = (tmp_path / "log").read_text()
    assert _TOKEN not in text


def test_sigusr1_names_the_jobs_that_run(start: Start, tmp_path: Path) -> None:
    process = start(NDFD_LOGGING__OUTPUT=str(tmp_path / "log"))
    ready(process)
    daemon = Running(process, tmp_path / "run", "")
    with daemon.client() as client:
        job = client.submit(documents.slow_second_page(10_000_000)).job
        while not client.job(job.id).pages_done:
            os.sched_yield()
    process.send_signal(signal.SIGUSR1)
    told = wait_for_state(tmp_path / "log")
    (running,) = [record for record in told if record["event"] == "state of a job"]
    assert (running["job"], running["pool"]) == (job.id, "default")
    assert running["running_s"] >= 0


def test_sigusr2_goes_on_in_a_new_file_when_the_log_was_moved(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(NDFD_LOGGING__OUTPUT=str(log), NDFD_LOGGING__ROTATE_SIZE="never")
    ready(process)
    log.rename(tmp_path / "log.1")
    process.send_signal(signal.SIGUSR2)
    while not log.exists():
        os.sched_yield()
    wait_for(log, "the log file was reopened")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert [record["event"] for record in records(log)] == ["the log file was reopened", "stopping"]
    assert records(tmp_path / "log.1")[-1]["event"] == "ready"


def catches(pid: int) -> set[int]:
    """The signals that a process has handlers for; none when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return set()
    mask = int(re.search(r"^SigCgt:\s+(\w+)", status, re.MULTILINE)[1], 16)  # type: ignore[index]
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


def as_soon_as_it_hears(process: subprocess.Popen[bytes]) -> None:
    while signal.SIGUSR2 not in catches(process.pid):
        assert process.poll() is None
        os.sched_yield()


def nothing_of_it_is_there(folder: Path) -> None:
    """Not even the folder of its sockets, which it makes before its event loop."""
    assert not (folder / "run").exists()


def test_signals_that_come_before_the_daemon_is_there_do_not_end_it(start: Start, tmp_path: Path) -> None:
    process = start()
    as_soon_as_it_hears(process)
    nothing_of_it_is_there(tmp_path)
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        process.send_signal(number)
    ready(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_sigterm_before_the_daemon_is_there_ends_it_in_order(start: Start, tmp_path: Path) -> None:
    process = start()
    as_soon_as_it_hears(process)
    nothing_of_it_is_there(tmp_path)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert process.stdout is not None
    assert process.stdout.read() == b""
    assert not (tmp_path / "run" / "ndfd.sock").exists()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_what_is_asked_of_the_whole_service_ends_no_worker(daemon: Running, number: signal.Signals) -> None:
    """`systemctl kill --signal=…` sends to every process of a unit."""
    with daemon.client() as client:
        (worker,) = client.status().workers
        zygote = int(Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[1])
        for pid in (zygote, worker.pid):
            os.kill(pid, number)
        client.convert(documents.numbered_pages(1)).close()
        (same,) = client.status().workers
    assert (same.pid, same.served) == (worker.pid, worker.served + 1)


class Heard(logging.Handler):
    """Keeps records, and says when there is one of an event."""

    def __init__(self, last: str) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.complete = threading.Event()
        self._last = last

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        if record.getMessage() == self._last:
            self.complete.set()


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler = Heard("state of a thread")
    logger = logging.getLogger("ndfd.daemon.state_dump")
    logger.addHandler(handler)
    before = signal.getsignal(signal.SIGUSR1)
    yield handler
    logger.removeHandler(handler)
    signal.signal(signal.SIGUSR1, before)


def status() -> DaemonStatus:
    return DaemonStatus("0", 1, 1.0, (), None, (), 0, 0, 0, 0, 1, "")


def test_the_state_is_told_while_the_event_loop_hangs(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ndfd.daemon.state_dump._TURN_S", 0.05)

    async def hang_here() -> None:
        StateDump(asyncio.get_running_loop(), lambda: DaemonState(status())).listen(signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert heard.complete.wait(20)

    asyncio.run(hang_here())
    messages = [record.getMessage() for record in heard.records]
    assert messages[0].startswith("the event loop has not taken its turn")
    assert "state of the daemon" not in messages
    stacks = {record.thread_name: record.stack for record in heard.records if hasattr(record, "thread_name")}  # type: ignore[attr-defined]
    assert "hang_here" in stacks["MainThread"]


def test_one_that_is_asked_for_while_another_is_written_is_not_written_twice(heard: Heard) -> None:
    async def ask_twice() -> None:
        StateDump(asyncio.get_running_loop(), lambda: DaemonState(status())).listen(signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert await asyncio.to_thread(heard.complete.wait, 20)

    asyncio.run(ask_twice())
    messages = [record.getMessage() for record in heard.records]
    assert messages.count("state of the daemon") == 1


def test_a_state_that_cannot_be_told_leaves_the_rest_to_be_told(heard: Heard) -> None:
    def fails() -> DaemonState:
        raise RuntimeError("broken")

    async def ask() -> None:
        StateDump(asyncio.get_running_loop(), fails).listen(signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert await asyncio.to_thread(heard.complete.wait, 20)

    asyncio.run(ask())
    messages = [record.getMessage() for record in heard.records]
    assert messages[0] == "the daemon cannot say how it is"
    assert "state of the process" in messages
