"""A real daemon, its own process, on real sockets."""

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

    process: subprocess.Popen[bytes]
    #: What it said.
    line: str
    folder: Path

    def client(self) -> Client:
        """A connection to it."""
        return Client.connect(self.folder / "ndfd.sock")


Start = Callable[..., "subprocess.Popen[bytes]"]


def environment(**variables: str) -> dict[str, str]:
    """This process's environment with these variables of ndfd and no others."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NDFD_")} | variables


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `ndfd run` in a folder of this test; it is killed at the test's end at the latest."""
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
def daemon(start: Start, tmp_path: Path) -> Running:
    """A daemon with one worker."""
    process = start()
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    assert line, process.communicate()[1].decode()
    return Running(process, line, tmp_path / "run")
