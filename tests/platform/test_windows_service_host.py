"""The service host with real children, on this system: in the place of the service manager stands a list."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ndfd.platform.windows_job import Containment
from ndfd.platform.windows_service_course import Accept, Control, Event, Limits, Outcome, ServiceStatus, State
from ndfd.platform.windows_service_host import ChildLog, HostOptions, ServiceHost

CHILD = Path(__file__).parent / "windows" / "child.py"
PATIENCE_S = 30.0
PATIENT = Limits(start_s=60, drain_s=60, fast_s=60, kill_s=60, beat_s=0.02, hint_s=20)


class Recorded(Containment):
    """Knows the child."""

    process: subprocess.Popen[bytes] | None = None

    def admit(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process


class Scene:
    """A host in a thread, and the folder of its child."""

    def __init__(
        self, folder: Path, mode: str, limits: Limits = PATIENT, command: tuple[str, ...] | None = None
    ) -> None:
        self.folder = folder
        self.statuses: list[ServiceStatus] = []
        self.events: list[tuple[Event, str]] = []
        self.outcome: Outcome | None = None
        self.recorded = Recorded()
        self._reports: queue.SimpleQueue[ServiceStatus] = queue.SimpleQueue()
        command = command or (sys.executable, str(CHILD), str(folder), mode)
        options = HostOptions("ndfd", command, folder / "log", limits)
        self.host = ServiceHost(options, self._report, lambda *event: self.events.append(event), self.recorded)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def until(self, wanted: Callable[[ServiceStatus], bool]) -> ServiceStatus:
        """The next status that is reported and is as wanted."""
        while True:
            status = self._reports.get(timeout=PATIENCE_S)
            if wanted(status):
                return status

    def let(self, name: str) -> None:
        """Makes a file that the child waits for."""
        (self.folder / name).touch()

    def heard(self, *lines: str) -> None:
        """Waits until the child has heard just these lines."""
        limit = time.monotonic() + PATIENCE_S
        while self.read("heard").split("\n")[:-1] != list(lines):
            assert time.monotonic() < limit, self.read("heard")
            time.sleep(0.01)

    def read(self, name: str) -> str:
        """A file of the folder; empty if it is not there."""
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def end(self) -> Outcome:
        """What became of it."""
        self._thread.join(PATIENCE_S)
        assert self.outcome is not None
        return self.outcome

    def close(self) -> None:
        """Has a child that is still there end."""
        for name in ("ready", "end"):
            self.let(name)
        self.host.control(Control.SHUTDOWN)
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        self.outcome = self.host.run()

    def _report(self, status: ServiceStatus) -> None:
        self.statuses.append(status)
        self._reports.put(status)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    made: list[Scene] = []

    def make(mode: str, *arguments: Any) -> Scene:
        made.append(Scene(tmp_path, mode, *arguments))
        return made[-1]

    yield make
    for each in made:
        each.close()


def is_running(status: ServiceStatus) -> bool:
    return status.state is State.RUNNING


def test_a_whole_life(scene: Callable[..., Scene]) -> None:
    it = scene("drains")
    it.until(lambda status: status.state is State.START_PENDING and status.checkpoint >= 3)
    it.let("ready")
    assert it.until(is_running).accepted & Accept.STOP
    it.host.control(Control.PARAMCHANGE)
    it.heard("reload")
    it.host.control(Control.STOP)
    it.heard("reload", "drain")
    it.until(lambda status: status.state is State.STOP_PENDING and status.checkpoint >= 3)
    it.let("end")
    assert it.end() == Outcome()
    assert it.statuses[-1] == ServiceStatus(State.STOPPED)
    states = [status.state for status in it.statuses]
    assert sorted(set(states), key=states.index) == [
        State.START_PENDING,
        State.RUNNING,
        State.STOP_PENDING,
        State.STOPPED,
    ]
    assert [event for event, _ in it.events] == [Event.STARTED, Event.RELOAD, Event.STOPPED]
    log = it.read("log/ndfd.log")
    assert "the child begins: Größe 文書\n" in log
    assert '{"sockets": ["a"]}\n' in log
    assert " service host: The service ndfd has stopped (stop) with exit status 0.\n" in log


def test_the_death_of_the_child_is_told_with_its_last_lines_and_left_to_recovery(scene: Callable[..., Scene]) -> None:
    it = scene("dies")
    it.let("ready")
    it.until(is_running)
    it.let("end")
    assert it.end() == Outcome(1066, 3, recover=True)
    assert it.statuses[-1].state is State.RUNNING
    # Told once, when it became true, and not again at the end.
    assert it.statuses.count(it.statuses[-1]) == 1
    event, text = it.events[-1]
    assert event is Event.CHILD_DIED
    assert text.startswith("The service ndfd ended unexpectedly, with exit status 3.")
    assert text.endswith("it is all over")


def test_a_wrong_configuration_is_reported_as_stopped_and_quoted(scene: Callable[..., Scene]) -> None:
    it = scene("misconfigured")
    assert it.end() == Outcome(1066, 78)
    assert it.statuses[-1] == ServiceStatus(State.STOPPED, win32_exit=1066, specific_exit=78)
    assert "1 mistake; see ndfd config check" in it.events[-1][1]


def test_a_child_that_is_never_ready_is_ended(scene: Callable[..., Scene]) -> None:
    it = scene("drains", Limits(start_s=0.5, beat_s=0.02))
    assert it.end() == Outcome(1053, recover=True)
    assert [event for event, _ in it.events] == [Event.START_TIMEOUT]
    assert it.recorded.process is not None
    assert it.recorded.process.returncode == -signal.SIGKILL


def test_a_child_that_hears_nothing_is_ended(scene: Callable[..., Scene]) -> None:
    it = scene("deaf", Limits(start_s=60, drain_s=0.2, fast_s=0.2, beat_s=0.02))
    it.let("ready")
    it.until(is_running)
    it.host.control(Control.STOP)
    assert it.end() == Outcome(1053)
    assert it.statuses[-1] == ServiceStatus(State.STOPPED, win32_exit=1053)
    assert it.events[-1][0] is Event.FORCED


def test_the_shutdown_of_the_machine_closes_the_childs_input(scene: Callable[..., Scene]) -> None:
    it = scene("drains")
    it.let("ready")
    it.until(is_running)
    it.host.control(Control.SHUTDOWN)
    assert it.end() == Outcome()
    assert it.read("heard") == "the end\n"


def test_a_program_that_is_not_there_is_named(scene: Callable[..., Scene], tmp_path: Path) -> None:
    it = scene("", PATIENT, (str(tmp_path / "absent.exe"), "run"))
    assert it.end().recover is False
    assert it.statuses[-1].state is State.STOPPED
    assert it.statuses[-1].win32_exit != 0
    event, text = it.events[-1]
    assert event is Event.START_FAILED
    assert "absent.exe" in text


def test_a_child_that_cannot_be_contained_does_not_run_on(tmp_path: Path) -> None:
    class Refuses(Recorded):
        def admit(self, process: subprocess.Popen[bytes]) -> None:
            super().admit(process)
            raise OSError("the job is full")

    refuses = Refuses()

    options = HostOptions("ndfd", (sys.executable, str(CHILD), str(tmp_path), "drains"), tmp_path / "log")
    events: list[tuple[Event, str]] = []
    outcome = ServiceHost(options, lambda _: None, lambda *event: events.append(event), refuses).run()
    assert outcome.win32_exit != 0
    assert "the job is full" in events[-1][1]
    assert refuses.process is not None
    assert refuses.process.returncode == -signal.SIGKILL


def test_without_a_log_file_the_service_runs_and_says_so(scene: Callable[..., Scene], tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file where the folder would be")
    it = scene("drains")
    it.let("ready")
    it.until(is_running)
    it.let("end")
    it.host.control(Control.STOP)
    assert it.end() == Outcome()
    assert it.events[0][0] is Event.LOG_UNWRITABLE


def test_the_log_file_turns_over_and_keeps_five(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ndfd.platform.windows_service_host._LOG_MAX_BYTES", 1000)
    log = ChildLog(tmp_path, "ndfd")
    for number in range(200):
        log.child_logged(b"x" * 80 + b" %d\n" % number)
    log.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["ndfd.log", *(f"ndfd.log.{number}" for number in range(1, 6))]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert log.last_lines[-1].endswith(" 199")
    assert len(log.last_lines) == 10


def test_bytes_that_are_no_text_are_logged_all_the_same(tmp_path: Path) -> None:
    log = ChildLog(tmp_path, "ndfd")
    log.child_logged(b"caf\xe9\r\n")
    log.close()
    assert (tmp_path / "ndfd.log").read_text(encoding="utf-8") == "caf\\xe9\n"
