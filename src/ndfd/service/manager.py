"""What each manager of services answers to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from ndfd.errors import NdfdError, NotSupported
from ndfd.service.machine import Machine
from ndfd.service.plan import Plan
from ndfd.service.report import ServiceStatus


@dataclass(frozen=True, slots=True)
class Install:
    """What is wanted of an installation."""

    #: That the service runs; None: the command of this installation, and for a package the packaged one.
    command: Path | None = None
    enable: bool = True
    start: bool = True
    #: With the unit that tunes the system.
    tuning: bool = False
    #: Also in place of files that somebody has changed.
    force: bool = False
    #: Only files, below this folder, as those that a package holds; no command is run.
    package: Path | None = None
    #: The version that the files are for; None: that of this machine.
    systemd: int | None = None


@dataclass(frozen=True, slots=True)
class Uninstall:
    """What is wanted of its end."""

    #: With the state, the configuration, the logs and the user.
    purge: bool = False
    force: bool = False
    package: Path | None = None


@dataclass(frozen=True, slots=True)
class Logs:
    """Which part of the log."""

    follow: bool = False
    lines: int | None = None
    since: str | None = None
    priority: str | None = None
    json: bool = False


class Manager(ABC):
    """The system's manager of services, as far as it is about one service of ndfd.

    Every method may raise `NotSupported` for what this system lacks, `NotPermitted` for what this user may not do, and
    `ServiceError`. None changes anything: what is to be done comes back as a plan.
    """

    #: On which a plan is carried out: its environment is one in which the manager is reached.
    machine: Machine

    @abstractmethod
    def install(self, wish: Install) -> Plan:
        """Installs, or brings what is installed to what this version would write."""

    @abstractmethod
    def uninstall(self, wish: Uninstall) -> Plan:
        """Takes away what `install` brought."""

    @abstractmethod
    def left_by_purge(self) -> tuple[Path, ...]:
        """The folders that an `uninstall` with `purge` removes and that are there."""

    @abstractmethod
    def start(self) -> Plan:
        """Starts it, and waits until it serves."""

    @abstractmethod
    def stop(self) -> Plan:
        """Stops it, and waits for its end."""

    @abstractmethod
    def restart(self) -> Plan:
        """Stops and starts it."""

    @abstractmethod
    def reload(self) -> Plan:
        """Has it read its configuration again."""

    @abstractmethod
    def status(self) -> ServiceStatus:
        """How it is."""

    @abstractmethod
    def failure(self, verb: str = "start") -> NdfdError | None:
        """Why it does not run, what to do before `verb` is done again, the last lines of its log; None: not known."""

    @abstractmethod
    def logs(self, wish: Logs) -> tuple[str, ...]:
        """The command that shows its log."""

    def _no_instances(self, instance: str | None, manager: str) -> None:
        if instance is not None:
            raise NotSupported(f"{manager} has no instances of one service", hint="leave --instance out")
