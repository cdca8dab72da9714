"""`service.py` under `ndfd.testing`'s manager and under a real systemd, with the same verbs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ndfd.testing.service_manager import Manager, State
from tests.service_manager.service import ask

SERVICE = Path(__file__).with_name("service.py")
_NAME = "ndfd-contract"
_UNITS = "/run/systemd/system"
_SOCKETS = f"/run/{_NAME}"
_THERE = f"/run/{_NAME}.py"
_LIMIT_S = 100.0

_SERVICE_UNIT = """
[Unit]
StartLimitIntervalSec=0
[Service]
Type={type}
ExecStart=/usr/bin/python3 -I -S {program}
NotifyAccess=main
Restart=on-failure
RestartPreventExitStatus=78
KillMode=mixed
FileDescriptorStoreMax={store_max}
WatchdogSec={watchdog_s}
TimeoutStopSec=1
"""
_SOCKET_UNIT = f"""
[Socket]
ListenStream={_SOCKETS}/ndfd.sock
ListenStream={_SOCKETS}/http.sock
FileDescriptorName=ndfd
SocketMode=0660
"""


class Managed(ABC):
    """The service, and who manages it."""

    #: Whether the manager can be asked to reload it.
    reloads = True

    @abstractmethod
    def ask(self, *order: object) -> Any:
        """Has the service do something; its answer."""

    @abstractmethod
    def manage(self, verb: str) -> None:
        """start, stop, restart, reload: returns when that is done."""

    @abstractmethod
    def kill(self) -> None:
        """SIGKILL to its main process."""

    @abstractmethod
    def shown(self, name: str) -> str:
        """ActiveState, Result, StatusText or NRestarts."""

    @abstractmethod
    def wait_for(self, name: str, value: str) -> None:
        """Until that is shown."""

    @abstractmethod
    def is_alive(self, pid: int) -> bool:
        """Whether there is such a process, with the service's ids."""

    def passed(self) -> list[tuple[str, str]]:
        """Name and kind of what the service's process was given, but for the sockets."""
        return [(name, kind) for name, kind in self.ask("report")["passed"] if not kind.startswith("listens")]


class UnderManager(Managed):
    """In a folder."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def ask(self, *order: object) -> Any:
        return ask(str(self._manager.folder / "ndfd.sock"), *order)

    def manage(self, verb: str) -> None:
        getattr(self._manager, verb)()

    def kill(self) -> None:
        self._manager.kill()

    def shown(self, name: str) -> str:
        return {
            "ActiveState": "activating" if self._manager.state is State.PAUSING else str(self._manager.state),
            "Result": self._manager.result,
            "StatusText": self._manager.status_text,
            "NRestarts": str(self._manager.restarts),
        }[name]

    def wait_for(self, name: str, value: str) -> None:
        self._manager.wait_for(lambda manager: self.shown(name) == value)

    def is_alive(self, pid: int) -> bool:
        return Path(f"/proc/{pid}").exists()


@contextmanager
def under_manager(folder: Path, store_max: int, watchdog_s: float | None) -> Iterator[Managed]:
    """Ready, until the end of the block."""
    command = [sys.executable, "-I", "-S", str(SERVICE)]
    path = {"PATH": os.environ["PATH"]}
    with Manager(folder, command, path, store_max=store_max, watchdog_s=watchdog_s, stop_limit_s=1) as manager:
        manager.wait_ready()
        yield UnderManager(manager)


class Bed:
    """A real systemd, by a program that NDFD_SYSTEMD_BED names (see tests/tuning/systemd_bed.py)."""

    def __init__(self, program: str, name: str) -> None:
        self._command = [program, "-n", name]

    def __enter__(self) -> Bed:
        self._run("up", check=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._run("down")

    def run(self, *command: str) -> tuple[int, str]:
        """Exit status and standard output."""
        ended = self._run("exec", *command)
        return ended.returncode, ended.stdout.strip()

    def write(self, path: str, text: str) -> None:
        """Makes or replaces a file of its."""
        status, said = self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && printf %s "$2" > "$1"', "-", path, text)
        assert status == 0, said

    def _run(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=_LIMIT_S,
            check=check,
        )


class UnderSystemd(Managed):
    """In a bed."""

    def __init__(self, bed: Bed) -> None:
        self._bed = bed
        self.reloads = self._version() >= 253

    def ask(self, *order: object) -> Any:
        status, answer = self._bed.run("python3", _THERE, f"{_SOCKETS}/ndfd.sock", json.dumps(order))
        assert status == 0, (order, answer, self._journal())
        return json.loads(answer)

    def manage(self, verb: str) -> None:
        assert self._bed.run("systemctl", verb, f"{_NAME}.service")[0] == 0, self._journal()

    def kill(self) -> None:
        assert self._bed.run("systemctl", "kill", "-s", "KILL", "--kill-who=main", f"{_NAME}.service")[0] == 0

    def shown(self, name: str) -> str:
        return self._bed.run("systemctl", "show", f"{_NAME}.service", "--value", "-p", name)[1]

    def wait_for(self, name: str, value: str) -> None:
        # systemctl has no verb that waits for it.
        until = time.monotonic() + _LIMIT_S
        while self.shown(name) != value:
            assert time.monotonic() < until, self._journal()

    def is_alive(self, pid: int) -> bool:
        return self._bed.run("kill", "-0", str(pid))[0] == 0

    def install(self, store_max: int, watchdog_s: float | None) -> None:
        """Starts it, with what former ones left removed."""
        kind = "notify-reload" if self.reloads else "notify"
        seconds = 0.0 if watchdog_s is None else watchdog_s
        unit = _SERVICE_UNIT.format(type=kind, program=_THERE, store_max=store_max, watchdog_s=seconds)
        self._bed.write(_THERE, SERVICE.read_text())
        self._bed.write(f"{_UNITS}/{_NAME}.service", unit)
        self._bed.write(f"{_UNITS}/{_NAME}.socket", _SOCKET_UNIT)
        assert self._bed.run("systemctl", "daemon-reload")[0] == 0
        assert self._bed.run("systemctl", "start", f"{_NAME}.socket", f"{_NAME}.service")[0] == 0, self._journal()

    def uninstall(self) -> None:
        """Stops it."""
        self._bed.run("systemctl", "stop", f"{_NAME}.socket", f"{_NAME}.service")
        self._bed.run("systemctl", "reset-failed")

    def _version(self) -> int:
        return int(self._bed.run("systemctl", "--version")[1].split()[1])

    def _journal(self) -> str:
        return self._bed.run("journalctl", "-u", _NAME, "-n", "30", "--no-pager")[1]


@contextmanager
def under_systemd(bed: Bed, store_max: int, watchdog_s: float | None) -> Iterator[Managed]:
    """Ready, until the end of the block."""
    managed = UnderSystemd(bed)
    try:
        managed.install(store_max, watchdog_s)
        yield managed
    finally:
        managed.uninstall()
