"""A process that serves the HTTP door, and can be killed: `python -m tests.server.door_process`; and who starts it."""

from __future__ import annotations

import array
import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ndfd.platform import PassedDescriptor
from ndfd.server.generation import DoorLimits
from ndfd.server.http_door import HttpDoorLimits
from tests.server.doors import LIMITS, Doors
from tests.server.storing_manager import StoringManager


class DoorProcess:
    """One daemon, as far as its HTTP door goes."""

    def __init__(self, directory: Path, manager: StoringManager, *, hangs: bool) -> None:
        """Returns when the door is open. `hangs`: a conversion called `hang` has no end."""
        directory.mkdir()
        self.http_path = directory / "http.sock"
        self._manager = manager
        self._notices, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._notices.setblocking(False)
        passed = manager.passed()
        fds = [each.fd for each in passed]
        with theirs:
            described = [f"{each.name}={each.fd}" for each in passed]
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(directory), str(theirs.fileno()), str(int(hangs)), *described],
                pass_fds=[theirs.fileno(), *fds],
                stdout=subprocess.PIPE,
                text=True,
            )
        for fd in fds:
            socket.close(fd)
        self._said("ready")

    def wait_started(self) -> None:
        """Returns when the first conversion has begun."""
        self._said("started")

    def kill(self) -> None:
        """SIGKILL; what the process stored before it is with the manager then. A second call does nothing."""
        if self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()
        with contextlib.suppress(BlockingIOError):
            while notice := socket.recv_fds(self._notices, 100, 253):
                name, fds, _, _ = notice
                if not name:
                    break
                self._manager.stored += [PassedDescriptor(name.decode(), fd) for fd in fds]
        self._notices.close()

    def _said(self, word: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == word


@contextlib.contextmanager
def door_process(directory: Path, manager: StoringManager, *, hangs: bool = True) -> Iterator[DoorProcess]:
    """One that is killed at the end of the block at the latest."""
    process = DoorProcess(directory, manager, hangs=hangs)
    try:
        yield process
    finally:
        process.kill()


class _NoticedManager(StoringManager):
    """The manager as the process has it: what is stored is sent to it."""

    def __init__(self, notices: socket.socket, passed: list[PassedDescriptor]) -> None:
        super().__init__()
        self._notices = notices
        self._passed = passed

    def store(self, name: str, fds: Sequence[int]) -> bool:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))
        self._notices.sendmsg([name.encode()], [rights])
        return True

    def passed(self) -> list[PassedDescriptor]:
        return self._passed


def _main(directory: str, notices_fd: str, hangs: str, *described: str) -> None:
    passed = [PassedDescriptor(name, int(fd)) for name, _, fd in (each.partition("=") for each in described)]
    manager = _NoticedManager(socket.socket(fileno=int(notices_fd)), passed)
    doors = Doors(Path(directory), DoorLimits(), HttpDoorLimits(left_for_s=20), LIMITS, manager)
    doors.conversions.hangs = hangs == "1"
    with doors.open():
        print("ready", flush=True)
        doors.conversions.started.wait()
        print("started", flush=True)
        signal.pause()


if __name__ == "__main__":
    _main(*sys.argv[1:])
