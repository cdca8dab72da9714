"""A real daemon, its own process, on real sockets; or that of a unit of systemd, which NDFD_TEST_UNIT names.

A unit's daemon is restarted for each test, with one worker and an empty store. Whoever runs these tests may do so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ndfd.client import Client


@dataclass(frozen=True)
class Running:
    """A daemon that said it is ready."""

    #: None for a unit's.
    started: subprocess.Popen[bytes] | None
    folder: Path
    #: What it said when it was ready; empty for a unit's.
    line: str = ""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """That of a daemon of the test's own; a unit's is nobody's to wait for."""
        if self.started is None:
            pytest.skip("it has a daemon of its own to signal, or to read what it says")
        return self.started

    @property
    def pid(self) -> int:
        """Of its process."""
        if self.started is not None:
            return self.started.pid
        with self.client() as client:
            return client.status().pid

    def client(self) -> Client:
        """A connection to it."""
        return Client.connect(self.folder / "ndfd.sock")


_UNIT = os.environ.get("NDFD_TEST_UNIT", "")

Start = Callable[..., "subprocess.Popen[bytes]"]


def environment(**variables: str) -> dict[str, str]:
    """This process's environment with these variables of ndfd and no others."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NDFD_")} | variables


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `ndfd run` in a folder of this test; it is killed at the test's end at the latest."""
    if _UNIT:
        pytest.skip("it starts daemons of its own")
    started: list[subprocess.Popen[bytes]] = []

    def popen(**variables: str) -> subprocess.Popen[bytes]:
        settings = {
            "NDFD_NETWORK__SOCKET_DIR": str(tmp_path / "run"),
            "NDFD_STORAGE__STATE_DIR": str(tmp_path / "state"),
            "NDFD_SWARM__WORKERS": "1",
            **variables,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "ndfd", "run"],
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield popen
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def daemon(request: pytest.FixtureRequest, tmp_path: Path) -> Running:
    """A daemon with one worker."""
    if _UNIT:
        return Running(None, _restarted(_UNIT))
    process = request.getfixturevalue("start")()
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    assert line, process.communicate()[1].decode()
    return Running(process, tmp_path / "run", line)


def _restarted(unit: str) -> Path:
    """The folder of the sockets of the unit's new daemon, whose store is empty."""

    def systemctl(*arguments: str) -> str:
        return subprocess.run(["systemctl", *arguments], check=True, capture_output=True, text=True).stdout.strip()

    systemctl("stop", unit)
    systemctl("clean", "--what=state", unit)
    systemctl("start", unit)
    return Path("/run", systemctl("show", unit, "--value", "--property=RuntimeDirectory"))
