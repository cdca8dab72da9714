"""The machine that a service is installed on: its files, its programs, who asks."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ndfd import platform
from ndfd.errors import NotSupported

#: Where programs of the administrator lie that a user's PATH may not name.
_MORE_PROGRAMS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")


@dataclass(frozen=True, slots=True)
class Machine:
    """As the process that asks sees it."""

    environment: Mapping[str, str]
    #: Effective user id; None where users have no numbers.
    uid: int | None
    #: None for a user without one.
    home: Path | None
    #: Where its files lie: another folder is for tests, and for those who write a package.
    root: Path = field(default=Path("/"))

    @classmethod
    def of_process(cls, environment: Mapping[str, str], home: Path | None) -> Machine:
        """This one."""
        geteuid = getattr(os, "geteuid", None)
        return cls(environment, geteuid() if geteuid is not None else None, home)

    def path(self, path: str | PurePath) -> Path:
        """An absolute path of the machine, below `root`."""
        if self.root == Path("/"):
            return Path(path)
        return self.root / Path(path).relative_to(Path(path).anchor)

    def program(self, name: str) -> str | None:
        """The path of a program; None where there is none."""
        places = [*self.environment.get("PATH", os.defpath).split(os.pathsep), *_MORE_PROGRAMS]
        return shutil.which(name, path=os.pathsep.join(places))

    def knows_user(self, name: str) -> bool:
        """Whether there is a user of that name."""
        try:
            platform.user_id(name)
        except KeyError:
            return False
        return True

    def ask(self, *command: str) -> str:
        """The output of a program that changes nothing; empty when it fails or is not there."""
        try:
            ended = self.run(command)
        except NotSupported:
            return ""
        return ended.stdout if ended.returncode == 0 else ""

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end, with nothing to read. `NotSupported` when it is not there."""
        return subprocess.run(
            self.resolved(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=self._for_programs(),
            check=False,
        )

    def pass_through(self, command: Sequence[str]) -> int:
        """Runs a program that reads and writes what this process does; its exit status."""
        return subprocess.run(self.resolved(command), env=dict(self.environment), check=False).returncode

    def resolved(self, command: Sequence[str]) -> list[str]:
        """The command with the path of its program. `NotSupported` when there is none."""
        program = self.program(command[0])
        if program is None:
            raise NotSupported(f"there is no program {command[0]} on this machine", hint="install it, or see PATH")
        return [program, *command[1:]]

    def _for_programs(self) -> dict[str, str]:
        """Their words are read by programs, and passed on as they are: no colours, no pager, no translation."""
        return {
            **self.environment,
            "LC_ALL": "C.UTF-8",
            "SYSTEMD_COLORS": "0",
            "SYSTEMD_PAGER": "",
            "SYSTEMD_URLIFY": "0",
        }
