"""A daemon that is started again and again in the same folders, and the processes that belong to it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from ndfd.client import Client
from tests.crash.points import Point
from tests.daemon.configured import write
from tests.daemon.conftest import environment

ROOT = Path(__file__).resolve().parents[2]

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """What a killed daemon leaves behind becomes a child of this process, which can see and end it (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class CrashDaemon:
    """The folders of a daemon, and the process that runs in them now."""

    def __init__(self, root: Path, state: Path, config: str, mounted: Path | None = None) -> None:
        """`mounted` is the file system whose power the daemon cuts at a point."""
        self.root = root
        self.state = state
        self.socket = root / "run" / "ndfd.sock"
        self._config = config
        self._mounted = mounted
        self._log = root / "log"
        # Other users go through it to the socket.
        self.socket.parent.mkdir()
        self.socket.parent.chmod(0o711)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The one that runs now."""
        assert self._process is not None
        return self._process

    def start(self, point: Point | None = None, *settings: str) -> None:
        """Does not wait for it to be ready."""
        write(self.root / "etc" / "config.toml", self._config)
        ending = "" if point is None else f"{point}{'' if self._mounted is None else f'@{self._mounted}'}"
        command = [sys.executable, "-m", "tests.crash.daemon_program", ending, "run", "--service"]
        for setting in (f"network.socket_dir={self.root / 'run'}", f"storage.state_dir={self.state}", *settings):
            command += ["--set", setting]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--config-dir", str(self.root / "etc")],
                env=environment(PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "src")])),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
            )

    def is_ready_within(self, seconds: float) -> bool:
        """Whether it says that it is ready; False also when it has ended."""
        stdout = self.process.stdout
        assert stdout is not None
        ready, _, _ = select.select([stdout], [], [], seconds)
        return bool(ready) and stdout.readline() != b""

    def ends_within(self, seconds: float) -> bool:
        """Whether its process ends by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
            return True
        return False

    def kill(self) -> None:
        """SIGKILL, and the end of this life."""
        self.process.kill()
        self.reap()

    def reap(self) -> None:
        """Of a process that has ended, or is about to."""
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def stop(self) -> int:
        """In order; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.reap()
        return self.process.returncode

    def client(self) -> Client:
        """A connection to it."""
        return Client.connect(self.socket, 60.0)

    def zygotes(self) -> list[psutil.Process]:
        """Its children that make workers."""
        return _children(self.process.pid)

    def workers(self) -> list[psutil.Process]:
        """What the zygotes have made."""
        return [worker for zygote in self.zygotes() for worker in _children(zygote.pid)]

    def family(self) -> list[psutil.Process]:
        """All of them."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def log_tail(self) -> str:
        """The last of what it said."""
        return self._log.read_text(errors="replace")[-2000:]


def strays(but: set[int]) -> list[psutil.Process]:
    """Children of this process, adopted ones included, that are none of these; those that have ended are reaped."""
    left = []
    for child in psutil.Process().children():
        if child.pid in but:
            continue
        with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
            if child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
                continue
            left.append(child)
    return left


def wait_for_strays(but: set[int], seconds: float) -> list[psutil.Process]:
    """Those that are still there after this time, at most."""
    until = time.monotonic() + seconds
    while (left := strays(but)) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def _children(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [child for child in psutil.Process(pid).children() if _lives(child)]
    return []


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
