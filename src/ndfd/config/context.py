"""Where a process takes its configuration from: found out once, so that a later reload looks in the same places."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ndfd import platform
from ndfd.config.places import home_dir
from ndfd.config.reading import is_there
from ndfd.errors import ConfigError

#: Names the environment: the file config.ENV.toml.
ENV_VARIABLE = "NDFD_ENV"
#: Names the folder of the machine's configuration.
CONFIG_DIR_VARIABLE = "NDFD_CONFIG_DIR"
#: The environment in which ./ndfd.toml is read. In no other: a daemon takes no orders from whatever folder it is
#: started in.
DEVELOPMENT = "development"

#: Of the service manager, for the process that it started alone: a child would speak in the daemon's name with them.
_OF_MANAGER = frozenset(
    {
        *("NOTIFY_SOCKET", "MAINPID", "FDSTORE"),
        *("LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"),
        *("WATCHDOG_PID", "WATCHDOG_USEC"),
    }
)

_ENV_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Context:
    """The sources of one process's configuration."""

    environment: Mapping[str, str]
    #: "group.key=value", in the order of the command line.
    flags: tuple[str, ...] = ()
    #: Holds config.toml, conf.d/*.toml and config.ENV.toml; None: no file of the machine is read.
    system_dir: Path | None = None
    #: The user's own file; None: not read.
    user_file: Path | None = None
    #: The file of the folder in which the process was started; None: not read.
    local_file: Path | None = None
    #: Holds a file for each secret that the service manager hands over.
    credentials_dir: Path | None = None
    #: The value of NDFD_ENV.
    env: str | None = None

    @classmethod
    def of_process(
        cls, *, flags: tuple[str, ...] = (), service: bool | None = None, system_dir: Path | None = None
    ) -> Context:
        """Those of this process.

        As a `service` (None: found out) neither the user's file nor that of the working folder counts. `system_dir` is
        $NDFD_CONFIG_DIR or the platform's own unless it is given. `ConfigError` for an NDFD_ENV that names no file.
        """
        environment = MappingProxyType(dict(os.environ))
        dirs = platform.config_dirs(environment, home_dir())
        env = _env(environment)
        if service is None:
            service = platform.is_system_service(environment)
        if system_dir is None and (named := environment.get(CONFIG_DIR_VARIABLE)):
            system_dir = Path(named).absolute()
        credentials = environment.get("CREDENTIALS_DIRECTORY")
        return cls(
            environment=environment,
            flags=flags,
            system_dir=dirs.system if system_dir is None else system_dir.absolute(),
            user_file=None if service or dirs.user is None else dirs.user / "config.toml",
            local_file=None if service or env != DEVELOPMENT else Path("ndfd.toml").absolute(),
            credentials_dir=Path(credentials) if credentials else None,
            env=env,
        )

    def without_files(self) -> Context:
        """Only what came with the process: its environment and its flags."""
        return dataclasses.replace(self, system_dir=None, user_file=None, local_file=None, env=None)

    def private(self, folder: Path) -> Context:
        """For a daemon that one program keeps for itself in a folder: without files, reached nowhere else, and without
        jobs, for nobody would be there to fetch their results."""
        flags = (
            f"network.socket_dir={folder}",
            "network.bind_address=off",
            "logging.output=stderr",
            "jobs.enabled=false",
        )
        return dataclasses.replace(self.without_files(), flags=(*self.flags, *flags))

    def files(self) -> tuple[Path, ...]:
        """The files that are there, weakest first; OSError for a folder that cannot be read."""
        candidates: list[Path] = []
        if self.system_dir is not None:
            candidates.append(self.system_dir / "config.toml")
            candidates += self.drop_ins()
            if self.env is not None:
                candidates.append(self.system_dir / f"config.{self.env}.toml")
        candidates += [path for path in (self.user_file, self.local_file) if path is not None]
        # A broken link, or a folder that lets nobody through, is a mistake that must be named, not an absent file.
        return tuple(path for path in candidates if is_there(path))

    def drop_ins(self) -> list[Path]:
        """conf.d/*.toml by name, without those of editors, which begin with a dot; OSError when it cannot be read."""
        if self.system_dir is None:
            return []
        folder = self.system_dir / "conf.d"
        try:
            return sorted(path for path in folder.iterdir() if path.suffix == ".toml" and path.name[0] != ".")
        except FileNotFoundError:
            return []

    def watched(self) -> tuple[Path, ...]:
        """The folders in which a file of the configuration may change, appear or go."""
        folders: list[Path] = []
        if self.system_dir is not None:
            folders += [self.system_dir, self.system_dir / "conf.d"]
        folders += [path.parent for path in (self.user_file, self.local_file) if path is not None]
        return tuple(dict.fromkeys(folders))

    def child_environment(self) -> dict[str, str]:
        """For processes of the daemon: nothing of its configuration, and so none of its secrets; nor of its manager."""
        ours = ("NDFD", "NEURALDOCFLOW", "CREDENTIALS_DIRECTORY")
        return {
            name: value
            for name, value in self.environment.items()
            if name == "NDFD_NATIVE" or not (name in _OF_MANAGER or name.upper().startswith(ours))
        }


def disown_manager() -> None:
    """Takes from this process's environment what its service manager told it, after it was read: as the manager's own
    library does, so that no child takes itself for the service."""
    for name in _OF_MANAGER:
        os.environ.pop(name, None)


def _env(environment: Mapping[str, str]) -> str | None:
    env = environment.get(ENV_VARIABLE) or None
    if env is not None and not _ENV_NAME.fullmatch(env):
        raise ConfigError(
            f"{ENV_VARIABLE}: {env!r} is not the name of an environment",
            hint="use letters, digits, - and _: NDFD_ENV=production reads config.production.toml",
        )
    return env
