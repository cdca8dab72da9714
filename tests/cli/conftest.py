"""Fixtures of the command line's tests: real doors in front of scripted conversions, and ways to run a command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ndfd.cli import main
from ndfd.client import Client
from ndfd.server.generation import DoorLimits
from ndfd.server.http_door import HttpDoorLimits
from tests.cli.fake_daemon import FakeDaemon, daemon_of
from tests.cli.jobs_that_run import JobsThatRun
from tests.server.doors import LIMITS, Doors


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    status: int
    stdout: str
    stderr: str


Ndfd = Callable[..., Ran]


@pytest.fixture(autouse=True)
def environment_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No daemon and no configuration of the machine are found by accident, and no signal handler stays."""
    for name in [name for name in os.environ if name.startswith(("NDFD_", "NEURALDOCFLOW_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "etc").mkdir()
    monkeypatch.setenv("NDFD_CONFIG_DIR", str(tmp_path / "etc"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "no-such-runtime-dir"))
    handlers = {
        number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
    }
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Doors]:
    """A daemon's doors, whose conversions do as the document's name says."""
    place = tmp_path / "sockets"
    place.mkdir()
    with Doors(place, DoorLimits(), HttpDoorLimits(), LIMITS).open() as running:
        yield running


@pytest.fixture
def at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doors]:
    """The doors of a daemon whose jobs run by themselves, and which is the one that is found."""
    monkeypatch.setattr("tests.server.doors.JobsInMemory", JobsThatRun)
    place = tmp_path / "working"
    place.mkdir()
    with Doors(place, DoorLimits(), HttpDoorLimits(), LIMITS).open() as running:
        monkeypatch.setenv("NDFD_SOCKET", str(running.varlink_path))
        yield running


@pytest.fixture
def ndfd(capfd: pytest.CaptureFixture[str]) -> Ndfd:
    """Runs a command line in this process."""

    def run(*arguments: str | Path) -> Ran:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Ran(status, captured.out, captured.err)

    return run


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """The folder of the machine's configuration, empty."""
    folder = tmp_path / "etc"
    (folder / "conf.d").mkdir(parents=True)
    return folder


@pytest.fixture
def daemon(etc: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDaemon:
    """A daemon, without its doors, that was started with no file in that folder."""
    fake = daemon_of(etc)
    monkeypatch.setattr(Client, "connect", lambda path, timeout_s=None: fake)
    return fake


@pytest.fixture
def ndfd_at(ndfd: Ndfd, doors: Doors, monkeypatch: pytest.MonkeyPatch) -> Ndfd:
    """The same, with the doors as the daemon that is found."""
    monkeypatch.setenv("NDFD_SOCKET", str(doors.varlink_path))
    return ndfd


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a command line as a process of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def popen(*arguments: str | Path, **options: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ndfd", *map(str, arguments)]
        streams: dict[str, object] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process: subprocess.Popen[bytes] = subprocess.Popen(command, **{**streams, **options})  # type: ignore[call-overload]
        started.append(process)
        return process

    yield popen
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
