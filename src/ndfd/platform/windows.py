"""Windows: where fonts lie. There is no way yet to listen or to run workers.

Not run on this platform: written from its documentation, and nothing here has been executed on it. It has no fork, no
SCM_RIGHTS, and Python offers no AF_UNIX there, so a daemon refuses to start, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ndfd.errors import NotSupported
from ndfd.platform.base import Platform, WorkerLimits
from ndfd.platform.folders import ConfigDirs, StateDirs
from ndfd.platform.local_listener import LocalListener


class Windows(Platform):
    """The answers of Windows."""

    name = "Windows"

    def config_dirs(self, environment: Mapping[str, str], home: Path | None) -> ConfigDirs:
        """ndfd in %ProgramData% and in %APPDATA%."""
        user = environment.get("APPDATA")
        system = Path(environment.get("PROGRAMDATA") or r"C:\ProgramData", "ndfd")
        return ConfigDirs(system, Path(user, "ndfd") if user else None)

    def state_dirs(self, environment: Mapping[str, str], home: Path | None) -> StateDirs:
        r"""ndfd\state in %ProgramData% and in %LOCALAPPDATA%."""
        user = environment.get("LOCALAPPDATA")
        system = Path(environment.get("PROGRAMDATA") or r"C:\ProgramData", "ndfd", "state")
        return StateDirs(system, Path(user, "ndfd", "state") if user else None)

    def make_socket_dir(self, path: Path) -> None:
        """Refused: there are no folders of sockets."""
        raise self._no_sockets()

    def listen(self, path: Path, *, mode: int, backlog: int = 128) -> LocalListener:
        """Refused."""
        raise self._no_sockets()

    def font_roots(self, home: Path | None) -> tuple[Path, ...]:
        """The system's folder, and since Windows 10 the user's own."""
        shared = (Path(r"C:\Windows\Fonts"),)
        return shared if home is None else (*shared, home / r"AppData\Local\Microsoft\Windows\Fonts")

    def user_id(self, name: str) -> int:
        """Refused: users have no numbers there."""
        raise self._lacks("users with numbers")

    def memfd(self, name: str) -> int:
        """Refused: an open file cannot be unlinked there."""
        raise self._lacks("files without a name")

    def confine_worker(self, limits: WorkerLimits) -> tuple[str, ...]:
        """A job object, a lowered token, mitigations. What comes of it cannot be measured yet: no pool starts by it."""
        from ndfd.platform import windows_sandbox

        return windows_sandbox.confine(limits)

    def _no_sockets(self) -> NotSupported:
        return self._lacks("local sockets in folders")
