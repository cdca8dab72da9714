"""A daemon of the benchmark's own, reached over its real socket."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ndfd.client import Client
from ndfd.errors import Unavailable

_START_LIMIT_S = 30.0


@contextlib.contextmanager
def private_daemon() -> Iterator[Path]:
    """Starts `ndfd run` in a folder of its own, gives the path of its Varlink socket, stops it at the end.

    Its log lies in that folder and is shown when it does not start. SystemExit then.
    """
    with tempfile.TemporaryDirectory(prefix="ndfd-bench-") as folder:
        socket, log = Path(folder) / "ndfd.sock", Path(folder) / "log"
        command = [str(Path(sys.executable).with_name("ndfd")), "run"]
        with log.open("wb") as errors:
            environment = {**os.environ, "NDFD_NETWORK__SOCKET_DIR": folder}
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env=environment)
        try:
            _wait_until_ready(process, socket, log)
            yield socket
        finally:
            process.terminate()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    until = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with Client.connect(socket) as client:
                client.status()
                return
        except Unavailable:
            time.sleep(0.05)
    raise SystemExit(f"scripts/bench: the daemon did not start:\n{log.read_text(errors='replace')}")
