"""A real daemon with a configuration of its own, that can be rewritten while it runs."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ndfd.client import Client
from tests.daemon.conftest import environment


class Configured:
    """A daemon that runs, and the folder of its configuration."""

    def __init__(self, process: subprocess.Popen[bytes], root: Path) -> None:
        self.process = process
        self.root = root
        self.file = root / "etc" / "config.toml"
        self.sockets = root / "run"
        self.log = root / "log"

    def client(self) -> Client:
        """A connection to it."""
        return Client.connect(self.sockets / "ndfd.sock")

    def write(self, text: str) -> None:
        """Rewrites its file in one step."""
        write(self.file, text)

    def events(self) -> list[dict[str, Any]]:
        """What it has logged on stderr."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def wait_for(self, event: str, count: int = 1) -> None:
        """Returns when it has logged this event so often; its log is followed, so nothing is waited for in vain."""
        with subprocess.Popen(["tail", "-c", "+1", "-F", "-s", "0.01", self.log], stdout=subprocess.PIPE) as tail:
            assert tail.stdout is not None
            try:
                for line in tail.stdout:
                    count -= json.loads(line)["event"] == event
                    if count == 0:
                        return
            finally:
                tail.kill()

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of an answer of the HTTP door."""
        connection = http.client.HTTPConnection("ndfd")
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.connect(str(self.sockets / "http.sock"))
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body


def write(path: Path, text: str) -> None:
    """Puts a file there in one step, for nobody else to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_suffix(".new")
    staged.write_text(text)
    staged.chmod(0o600)
    staged.replace(path)


@contextmanager
def running(root: Path, text: str, *arguments: str, program: str = "ndfd", **variables: str) -> Iterator[Configured]:
    """A daemon with one file, until the end of the block; `program` is the module that runs it."""
    write(root / "etc" / "config.toml", text)
    command = [sys.executable, "-m", program, "run", "--service", "--config-dir", str(root / "etc"), *arguments]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--set", f"network.socket_dir={root / 'run'}", "--set", f"storage.state_dir={root / 'state'}"],
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), (root / "log").read_text()
        yield Configured(process, root)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
