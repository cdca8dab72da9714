"""A daemon that a service manager runs from a folder of releases, and what is done to it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import ndfd
from ndfd.client import Client
from ndfd.testing.service_manager import Manager, ServiceFailed

_VERSION = re.compile(r'__version__ = "([^"]+)"')
_READY_LIMIT_S = 60.0
#: Of the connections of one user, who has all of them here.
SETTINGS = ("network.max_connections_per_user=1000",)


class Releases:
    """A and B side by side, as in /opt/ndfd/releases, of which B is newer, and `current`, which is what runs."""

    def __init__(self, folder: Path) -> None:
        """They are there, B as a copy of A."""
        self.current = folder / "current"
        self._folder = folder / "releases"
        self._newer = f"{ndfd.__version__}.1"
        path = self._folder / "B" / "ndfd" / "__init__.py"
        text, count = _VERSION.subn(f'__version__ = "{self._newer}"', path.read_text())
        assert count == 1
        path.write_text(text)

    @classmethod
    def copied(cls, folder: Path) -> Self:
        """Of the ndfd that this process has imported."""
        for name in ("A", "B"):
            shutil.copytree(Path(ndfd.__file__).parent, folder / "releases" / name / "ndfd")
        (folder / "current").symlink_to("releases/A")
        return cls(folder)

    def upgrade(self) -> str:
        """Has `current` be B, in one step; its version."""
        link = self.current.with_name("current.new")
        link.symlink_to("releases/B")
        link.replace(self.current)
        return self._newer


class Daemon(ABC):
    """Runs for the length of a block. Each of the doings returns when the daemon is ready again."""

    #: Of the sockets.
    folder: Path
    releases: Releases

    @abstractmethod
    def restart(self) -> None:
        """As an operator does it."""

    @abstractmethod
    def kill(self) -> None:
        """SIGKILL to the main process; the manager does the rest."""

    @abstractmethod
    def reload(self) -> None:
        """SIGHUP."""

    @abstractmethod
    def log_tail(self) -> str:
        """The last of what it said."""

    def upgrade(self) -> None:
        """The other release is put in place, and the daemon restarted."""
        version = self.releases.upgrade()
        self.restart()
        with Client.connect(self.folder / "ndfd.sock") as client:
            found = client.status().version
        assert found == version, f"the daemon is of version {found} after the upgrade to {version}"


class UnderManager(Daemon):
    """That of `ndfd.testing`."""

    def __init__(self, manager: Manager, releases: Releases) -> None:
        self.manager = manager
        self.folder = manager.folder
        self.releases = releases

    def restart(self) -> None:
        self.manager.restart()

    def kill(self) -> None:
        self.manager.kill()
        self.manager.wait_ready(_READY_LIMIT_S)

    def reload(self) -> None:
        self.manager.reload()

    def log_tail(self) -> str:
        return self.manager.log.read_text(errors="replace")[-2000:]


@contextlib.contextmanager
def under_manager(folder: Path) -> Iterator[UnderManager]:
    """Ready, with everything it has in this folder."""
    releases = Releases.copied(folder)
    for name in ("run", "etc"):
        (folder / name).mkdir(mode=0o755)
    command = [sys.executable, "-m", "ndfd", "run", "--service", "--config-dir", str(folder / "etc")]
    for setting in (f"network.socket_dir={folder / 'run'}", f"storage.state_dir={folder / 'state'}", *SETTINGS):
        command += ["--set", setting]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("NDFD_")}
    # Before what is installed: this path is looked through first.
    variables["PYTHONPATH"] = str(releases.current)
    with Manager(folder / "run", command, variables, watchdog_s=30.0) as manager:
        manager.wait_ready(_READY_LIMIT_S)
        yield UnderManager(manager, releases)


class UnderSystemd(Daemon):
    """That of this machine, on which `restart_bed` has put ndfd and its units."""

    _UNIT = "ndfd.service"

    def __init__(self, releases: Releases) -> None:
        self.folder = Path("/run/ndfd")
        self.releases = releases

    def restart(self) -> None:
        self._systemctl("restart", self._UNIT)

    def kill(self) -> None:
        before = self._shown("MainPID")
        self._systemctl("kill", "--signal=KILL", "--kill-who=main", self._UNIT)
        until = time.monotonic() + _READY_LIMIT_S
        # systemctl has no verb that waits for a restart that nobody asked for.
        while self._shown("MainPID") in (before, "0") or self._shown("ActiveState") != "active":
            if time.monotonic() > until:
                raise ServiceFailed(f"the killed daemon was not started again:\n{self.log_tail()}")

    def reload(self) -> None:
        self._systemctl("reload", self._UNIT)

    def log_tail(self) -> str:
        return _output("journalctl", "-u", self._UNIT, "-n", "40", "--no-pager")

    def _shown(self, name: str) -> str:
        return _output("systemctl", "show", self._UNIT, "--value", "-p", name).strip()

    def _systemctl(self, *arguments: str) -> None:
        ended = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise ServiceFailed(f"systemctl {' '.join(arguments)}: {ended.stderr}\n{self.log_tail()}")


@contextlib.contextmanager
def under_systemd() -> Iterator[UnderSystemd]:
    """Ready, until the end of the block."""
    daemon = UnderSystemd(Releases(Path("/opt/ndfd")))
    daemon._systemctl("start", "ndfd.socket", "ndfd.service")
    try:
        yield daemon
    finally:
        daemon._systemctl("stop", "ndfd.socket", "ndfd.service")


def _output(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
