"""A daemon under a service manager: a few lines of one that hands over sockets, hears, and keeps what is stored."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ndfd.client import Client
from tests.daemon.configured import write
from tests.daemon.conftest import environment
from tests.platform.notified import Notified

# Gives itself the descriptors that it names from 3 on, says so as sd_listen_fds(3) has it, and becomes the command.
_START = """
import fcntl, os, sys
named = [int(fd) for fd in sys.argv[1].split(",") if fd]
high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 200) for fd in named]
for fd in named:
    os.close(fd)
for fd, source in enumerate(high, 3):
    os.dup2(source, fd)
os.environ.update({name: str(os.getpid()) for name in ("LISTEN_PID", "WATCHDOG_PID")})
os.execv(sys.argv[2], sys.argv[2:])
"""

ONE_WORKER = '[swarm]\nworkers = 1\nworker_memory = "1GB"\n'


class Manager:
    """Lives longer than its daemons. `start` one, and look at what it says."""

    def __init__(self, root: Path, *, keeps: bool = True, watchdog_s: float | None = None) -> None:
        self.root = root
        self.sockets = root / "run"
        self.sockets.mkdir(mode=0o700)
        self.log = root / "log"
        self._keeps = keeps
        self._watchdog_s = watchdog_s
        self._notified = Notified(str(root / "notify"))
        #: By name, descriptors that it keeps.
        self.stored: dict[str, list[int]] = {}
        #: Each message as its lines, with the moment on CLOCK_MONOTONIC at which it came.
        self.heard: list[tuple[float, dict[str, str]]] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        #: The one that was started last.
        self.process: subprocess.Popen[bytes] | None = None
        self._processes: list[subprocess.Popen[bytes]] = []

    def close(self) -> None:
        """Kills what runs, and lets everything go."""
        for process in self._processes:
            process.kill()
            process.wait()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.sendto(b"END=1", self._notified.address)
        self._thread.join()
        self._notified.socket.close()
        self.drop()

    def drop(self) -> None:
        """Keeps nothing any more: peers of what was kept see the end, if the daemon has ended."""
        for fds in self.stored.values():
            for fd in fds:
                os.close(fd)
        self.stored.clear()

    def start(
        self,
        *listening: socket.socket,
        text: str = ONE_WORKER,
        program: str = "ndfd",
        arguments: Sequence[str] = (),
        **variables: str,
    ) -> subprocess.Popen[bytes]:
        """Starts a daemon with these sockets and all that is stored."""
        write(self.root / "etc" / "config.toml", text)
        fds = [sock.fileno() for sock in listening]
        names = ["ndfd"] * len(fds)
        for name, kept in self.stored.items():
            fds += kept
            names += [name] * len(kept)
        variables.setdefault("NDFD_STORAGE__STATE_DIR", str(self.root / "state"))
        if not listening and "socket_dir" not in text:
            variables.setdefault("NDFD_NETWORK__SOCKET_DIR", str(self.sockets))
        if fds:
            variables |= {"LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(names)}
        if self._watchdog_s is not None:
            variables["WATCHDOG_USEC"] = str(int(self._watchdog_s * 1_000_000))
        command = [
            sys.executable,
            "-m",
            program,
            "run",
            "--service",
            "--config-dir",
            str(self.root / "etc"),
            *arguments,
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, ",".join(map(str, fds)), *command],
                env=environment(NOTIFY_SOCKET=self._notified.address, **variables),
                pass_fds=fds,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self._processes.append(self.process)
        return self.process

    def client(self) -> Client:
        """A connection to the daemon."""
        return Client.connect(self.sockets / "ndfd.sock")

    def wait_for(self, name: str, value: str = "", *, after: int = 0) -> int:
        """Returns when a message assigns this, with something that has the value in it: how many came up to it."""
        return self.wait(lambda lines: name in lines and value in lines[name], after=after)

    def wait(self, fits: Callable[[dict[str, str]], bool], *, after: int = 0, seconds: float = 60) -> int:
        """As `wait_for`, with what decides."""
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                ended = self.process is None or self.process.poll() is not None
                for index, (_, lines) in enumerate(self.heard[after:], after + 1):
                    if fits(lines):
                        return index
                left_s = end - time.monotonic()
                assert left_s > 0, (self.heard, self.log.read_text())
                assert not ended, (self.heard, self.log.read_text())
                # It may have ended without a word.
                self._changed.wait(min(left_s, 0.5))

    def told(self, *names: str) -> list[dict[str, str]]:
        """All messages so far that assign one of these."""
        return [lines for _, lines in self.heard if lines.keys() & set(names)]

    def _serve(self) -> None:
        self._notified.socket.settimeout(None)
        while True:
            message = self._notified.next()
            if "END" in message.lines:
                return
            kept = self._keeps and "FDSTORE" in message.lines
            if kept:
                self.stored.setdefault(message.lines["FDNAME"], []).extend(message.fds)
            else:
                message.close()
            if "FDSTOREREMOVE" in message.lines:
                for fd in self.stored.pop(message.lines["FDNAME"], ()):
                    os.close(fd)
            with self._changed:
                self.heard.append((time.monotonic(), message.lines))
                self._changed.notify_all()


@contextlib.contextmanager
def managing(root: Path, *, keeps: bool = True, watchdog_s: float | None = None) -> Iterator[Manager]:
    """A manager until the end of the block."""
    manager = Manager(root, keeps=keeps, watchdog_s=watchdog_s)
    try:
        yield manager
    finally:
        manager.close()


@contextlib.contextmanager
def listening(*paths: Path) -> Iterator[list[socket.socket]]:
    """Listening Unix sockets there."""
    with contextlib.ExitStack() as stack:
        socks = []
        for path in paths:
            sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sock.bind(str(path))
            path.chmod(0o660)
            sock.listen(16)
            socks.append(sock)
        yield socks
