"""Windows: a service of the Service Control Manager, by the commands of the system that an administrator would use.

Not run on Windows itself: `ndfd.platform.windows_service` says what of the service host has run, and where.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path, PureWindowsPath

from ndfd import platform
from ndfd.errors import NdfdError, NotSupported, ServiceFailed, UsageError
from ndfd.platform.windows_service_plan import (
    ServiceDefinition,
    event_source_key,
    folder_commands,
    host_command,
    install_commands,
    remove_commands,
)
from ndfd.service.machine import Machine
from ndfd.service.manager import Install, Logs, Manager, Uninstall
from ndfd.service.plan import MakeFolder, Plan, RemoveFolder, RunCommand, Same, Step
from ndfd.service.report import ServiceStatus

_NAME = "ndfd"
#: `sc.exe queryex`: a number is the same in every language of Windows, its name beside it is not.
#: The kind of service above it has two digits.
_STATE = re.compile(r"^\s+\w+\s+: (\d)\s+(\w+)\s*$", re.MULTILINE)
_PID = re.compile(r"^\s+PID\s+: (\d+)", re.MULTILINE)
_EXIT = re.compile(r"^\s+WIN32_EXIT_CODE\s+: (\d+)", re.MULTILINE)
_SERVICE_EXIT = re.compile(r"^\s+SERVICE_EXIT_CODE\s+: (\d+)", re.MULTILINE)
_RUNNING = "4"
#: ERROR_SERVICE_SPECIFIC_ERROR: the second code says what.
_OF_THE_SERVICE = "1066"
_LEVELS = {"emerg": 1, "alert": 1, "crit": 1, "err": 2, "warning": 3, "notice": 4, "info": 4, "debug": 5}


class WindowsServices(Manager):
    """The service `ndfd`."""

    def __init__(self, machine: Machine, *, user: bool, instance: str | None) -> None:
        """`NotSupported` for a user's service or an instance."""
        self._no_instances(instance, "Windows")
        if user:
            raise NotSupported(
                "Windows has no services of a user", hint="leave --user out, in a prompt of an administrator"
            )
        self.machine = machine
        self.name = _NAME

    def install(self, wish: Install) -> Plan:
        """The service, its event source, and its folders with who may do what there."""
        if wish.package is not None or wish.tuning:
            hint = "leave --root and --with-tuning out"
            raise NotSupported("on Windows a service is no file, and nothing is tuned", hint=hint)
        if self._query():
            steps: list[Step] = [Same(f"service {self.name}")]
            if wish.force:
                raise UsageError("there is no file to replace", hint="`ndfd service uninstall`, then install it again")
        else:
            steps = self._created(self._definition(wish))
            if not wish.enable:
                steps.append(RunCommand(("sc.exe", "config", self.name, "start=", "demand")))
        if wish.start and self._state() != _RUNNING:
            steps.append(RunCommand(("net.exe", "start", self.name), undo=("net.exe", "stop", self.name), starts=True))
        return Plan(tuple(steps))

    def uninstall(self, wish: Uninstall) -> Plan:
        """The service and its event source; its folders stay."""
        steps: list[Step] = []
        if self._query():
            if self._state() == _RUNNING:
                steps.append(RunCommand(("net.exe", "stop", self.name), undo=("net.exe", "start", self.name)))
            steps += [RunCommand(command) for command in remove_commands(self.name)]
        if wish.purge:
            steps += [RemoveFolder(folder) for folder in self.left_by_purge()]
        kept = () if wish.purge else self.left_by_purge()
        notes = tuple(f"kept: {folder} (`ndfd service uninstall --purge` removes it)" for folder in kept)
        return Plan(tuple(steps), notes)

    def left_by_purge(self) -> tuple[Path, ...]:
        """State, configuration and logs lie in one."""
        folder = self.machine.path(self._data_dir())
        return (folder,) if folder.exists() else ()

    def start(self) -> Plan:
        """Waits until it runs."""
        return self._control(("net.exe", "start", self.name), starts=True)

    def stop(self) -> Plan:
        """Waits for its end."""
        return self._control(("net.exe", "stop", self.name))

    def restart(self) -> Plan:
        """One after the other."""
        self._installed()
        start = RunCommand(("net.exe", "start", self.name), starts=True)
        return Plan((RunCommand(("net.exe", "stop", self.name)), start) if self._state() == _RUNNING else (start,))

    def reload(self) -> Plan:
        """By the control PARAMCHANGE."""
        return self._control(("sc.exe", "control", self.name, "paramchange"))

    def status(self) -> ServiceStatus:
        """From `sc.exe queryex`."""
        said = self._query()
        state, pid = _STATE.search(said), _PID.search(said)
        return ServiceStatus(
            manager="scm",
            user=False,
            name=self.name,
            installed=bool(said),
            running=self._state() == _RUNNING,
            state=state[2].lower() if state is not None else "not installed",
            pid=int(pid[1]) or None if pid is not None else None,
            why=self._why(said),
            logs="ndfd service logs",
        )

    def failure(self, verb: str = "start") -> NdfdError | None:
        """With the last events."""
        if self._state() == _RUNNING or verb == "reload":
            return None
        lines = self.machine.ask(*self.logs(Logs(lines=5))).splitlines()
        why = self._why(self._query()) or "see its events"
        return ServiceFailed(f"the service {self.name} does not run: {why}", details=tuple(lines))

    def logs(self, wish: Logs) -> tuple[str, ...]:
        """The events of its source, the last one first."""
        if wish.follow or wish.json:
            hint = "leave --follow and --json out, or use eventvwr.exe"
            raise NotSupported("the event log cannot be followed by a command", hint=hint)
        found = [f"Provider[@Name='{self.name}']"]
        if wish.priority is not None:
            found.append(f"Level<={_level(wish.priority)}")
        if wish.since is not None:
            found.append(f"TimeCreated[@SystemTime>='{wish.since}']")
        query = f"/q:*[System[{' and '.join(found)}]]"
        return ("wevtutil.exe", "qe", "Application", query, "/rd:true", "/f:text", f"/c:{wish.lines or 100}")

    def _definition(self, wish: Install) -> ServiceDefinition:
        data_dir = self._data_dir()
        child = () if wish.command is None else (str(wish.command), "run", "--service", "--owner-fd", "0")
        command = host_command(self.name, PureWindowsPath(sys.executable), data_dir, child)
        return ServiceDefinition(self.name, command, data_dir)

    def _created(self, definition: ServiceDefinition) -> list[Step]:
        create, *others = install_commands(definition)
        source = ("reg.exe", "delete", event_source_key(self.name), "/f")
        steps: list[Step] = [RunCommand(create, undo=("sc.exe", "delete", self.name))]
        first = next(at for at, command in enumerate(others) if event_source_key(self.name) in command)
        steps += [RunCommand(command, undo=source if at == first else None) for at, command in enumerate(others)]
        folders = (definition.data_dir, *definition.writable)
        steps += [MakeFolder(self.machine.path(folder), 0o700) for folder in folders]
        return [*steps, *(RunCommand(command) for command in folder_commands(definition))]

    def _control(self, command: tuple[str, ...], *, starts: bool = False) -> Plan:
        self._installed()
        return Plan((RunCommand(command, starts=starts),))

    def _installed(self) -> None:
        if not self._query():
            raise ServiceFailed(f"the service {self.name} is not installed", hint="`ndfd service install` installs it")

    def _query(self) -> str:
        return self.machine.ask("sc.exe", "queryex", self.name)

    def _state(self) -> str:
        found = _STATE.search(self._query())
        return found[1] if found is not None else ""

    def _why(self, said: str) -> str | None:
        code, of_service = _EXIT.search(said), _SERVICE_EXIT.search(said)
        if code is None or code[1] in {"0", "1077"}:  # 1077: it was not started since the machine was.
            return None
        if code[1] == _OF_THE_SERVICE and of_service is not None:
            return f"exit status {of_service[1]}; `ndfd errors` says what it means"
        return f"error {code[1]} of Windows: `net helpmsg {code[1]}` says what it means"

    def _data_dir(self) -> PureWindowsPath:
        return PureWindowsPath(platform.config_dirs(self.machine.environment, None).system)


def _level(priority: str) -> int:
    """Of an event, for a priority of syslog: a name or a number from 0 to 7."""
    names = list(_LEVELS)
    name = names[int(priority)] if priority.isdecimal() and int(priority) < len(names) else priority
    if name not in _LEVELS:
        raise UsageError(f"--priority {priority}: one of {', '.join(names)} or 0 to 7 is needed")
    return _LEVELS[name]
