"""systemd: the machine's, or a user's."""

from __future__ import annotations

import dataclasses
import re
import time
from pathlib import Path

from ndfd import platform
from ndfd.errors import NdfdError, NotSupported, ServiceFailed, UsageError
from ndfd.service.machine import Machine
from ndfd.service.manager import Install, Logs, Manager, Uninstall
from ndfd.service.packaged import PACKAGED_COMMAND, check_command, installed_command
from ndfd.service.plan import Plan, RunCommand, Standing
from ndfd.service.refusals import (
    refuse_changeable,
    refuse_other_users,
    refuse_unreachable,
    refuse_without_systemd,
    user_environment,
)
from ndfd.service.report import ServiceFile, ServiceStatus
from ndfd.service.stamp import version_in
from ndfd.service.systemd_failure import failure, refused_reload, why
from ndfd.service.systemd_files import (
    TUNE_UNIT,
    Files,
    Places,
    folder_name,
    of_a_package,
    refuse_changed,
    refuse_masked,
    removals,
    this_systemd,
)
from ndfd.service.systemd_install import Installation, installation, package
from ndfd.service.systemd_uninstall import Installed, removal
from ndfd.service.systemd_units import Unit, shown

_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
#: Their folders would be those that the units share, /run/ndfd-root, or root's own, /var/lib/ndfd-tune.
_NOT_INSTANCES = frozenset({"root", "tune"})
#: Lines of its log that say why it does not run.
_LINES = 12
#: What else it leaves on the machine, beside the folders of state and configuration.
_LOGS, _CACHE = Path("/var/log"), Path("/var/cache")
_PRIVILEGED = frozenset({"install", "uninstall", "start", "stop", "restart", "reload"})


class Systemd(Manager):
    """The service ndfd.service, or an instance of ndfd@.service."""

    def __init__(self, machine: Machine, *, user: bool, instance: str | None) -> None:
        """`UsageError` for an instance that no unit can be named by."""
        if instance is not None and not _INSTANCE.fullmatch(instance):
            raise UsageError(f"--instance {instance}: a name of letters, digits, - and _ is needed")
        if instance in _NOT_INSTANCES:
            raise UsageError(
                f"--instance {instance}: ndfd has a folder of its own that is called ndfd-{instance}",
                hint="give the instance another name",
            )
        self.machine = machine
        self._user = user
        self._instance = instance
        self._systemctl = ("systemctl", "--user") if user else ("systemctl",)
        self.name = self._named("ndfd", ".service")

    def install(self, wish: Install) -> Plan:
        """Users, folders and units; enabled and started."""
        if wish.package is not None:
            return self._package(wish, wish.package)
        self._refuse("install")
        command = self._command(wish)
        files = None if self._is_a_packages() else self._files(command, wish.systemd)
        if files is not None and not wish.tuning and not (Places.of_machine(self.machine).units / TUNE_UNIT).exists():
            files = files.without_tuning()
        if files is not None and not files.text(self._named_file(self.name)):
            raise NotSupported(f"this ndfd came without {self._named_file(self.name)}", hint="leave --instance out")
        names = self._names(files, tuning=wish.tuning)
        refuse_masked(self.machine, names)
        if files is not None:
            refuse_unreachable(files.text(self._named_file(self.name)), command)
            if files.text(TUNE_UNIT):
                refuse_changeable(TUNE_UNIT, command)
            if not wish.force:
                refuse_changed(files)
        units = tuple(self._show(name) for name in names)
        return installation(Installation(self.machine, self._systemctl, files, units, self._user), wish)

    def uninstall(self, wish: Uninstall) -> Plan:
        """All of it; or of an instance, only that it runs."""
        if wish.package is not None:
            packaged = Files.rendered(
                Places.of_package(wish.package, user=self._user), Path(PACKAGED_COMMAND), 0, user=self._user
            )
            if not wish.force:
                refuse_changed(packaged)
            return Plan(tuple(removals(packaged)))
        self._refuse("uninstall")
        if self._instance is not None:
            units = tuple(self._show(name) for name in self._names(None, tuning=False))
            return removal(Installed(self.machine, self._systemctl, None, units, self.left_by_purge()), wish)
        files = None if self._is_a_packages() else self._files(self._command(Install()), None)
        if files is not None and not wish.force:
            refuse_changed(files)
        names = (*self._instances(), *self._names(files, tuning=not self._user))
        units = tuple(self._show(name) for name in names)
        return removal(Installed(self.machine, self._systemctl, files, units, self.left_by_purge()), wish)

    def left_by_purge(self) -> tuple[Path, ...]:
        """Of state, tuning's journal, configuration, logs; with those of each instance."""
        environment = self.machine.environment
        state = platform.state_dirs(environment, self.machine.home)
        config = platform.config_dirs(environment, self.machine.home)
        if self._user:
            folders = [state.user, config.user]
        else:
            instances = () if self._instance is not None else self._instances()
            names = dict.fromkeys(folder_name(name) for name in (self.name, *instances))
            kinds = (state.system.parent, config.system.parent, _LOGS, _CACHE)
            folders = [kind / name for name in names for kind in kinds]
            if self._instance is None:
                folders.append(state.system.with_name("ndfd-tune"))
        return tuple(path for folder in folders if folder is not None and (path := self.machine.path(folder)).exists())

    def start(self) -> Plan:
        """The sockets and the service; returns when it is ready."""
        return self._control("start")

    def stop(self) -> Plan:
        """Service and sockets: a socket that is left would start it again."""
        return self._control("stop")

    def restart(self) -> Plan:
        """The service alone: the sockets stay, and nobody who connects is refused."""
        return self._control("restart")

    def reload(self) -> Plan:
        """By its unit."""
        return self._control("reload")

    def status(self) -> ServiceStatus:
        """From `systemctl show`, and from the files."""
        self._refuse("status")
        main, sockets = self._show(self.name), self._sockets()
        socket = self._show(sockets[0]) if sockets else None
        entered = main.number("ActiveEnterTimestampMonotonic") or 0
        found = why(main) if main.loaded and not main.active else None
        listens = (
            tuple(line.rpartition(" (")[0] for line in socket["Listen"].splitlines()) if socket is not None else ()
        )
        return ServiceStatus(
            manager="systemd",
            user=self._user,
            name=self.name,
            installed=main.loaded,
            running=main.active,
            state=main.state,
            enabled=main["UnitFileState"],
            since=main["ActiveEnterTimestamp"] or None if main.active else None,
            up_s=round(time.monotonic() - entered / 1e6, 3) if main.active and entered else None,
            pid=main.number("MainPID") or None,
            said=main["StatusText"] if main.loaded else "",
            restarts=main.number("NRestarts") if main.loaded else None,
            why=f"{found[0]}; {found[1].format_map(self._hint('start'))}"
            if found is not None and not main.active
            else None,
            sockets=listens,
            sockets_state=socket.state if socket is not None else "",
            files=self._standings(),
            drop_ins=tuple(main["DropInPaths"].split()),
            warnings=self._warnings(main),
            logs=self._verb("logs"),
        )

    def failure(self, verb: str = "start") -> NdfdError | None:
        """Of the service, or of its sockets, without which it is not started."""
        if verb == "reload":
            return refused_reload(self._show(self.name), self._hint(verb))
        units = [self._show(name) for name in (self.name, *self._sockets(), TUNE_UNIT)]
        failed = [unit for unit in units if unit.loaded and why(unit) is not None and not unit.active]
        if not failed:
            return None
        return failure(failed[0], self._hint(verb), self._last_lines(failed[0]))

    def logs(self, wish: Logs) -> tuple[str, ...]:
        """journalctl, with what is wanted of it."""
        command = ["journalctl", f"--{'user-unit' if self._user else 'unit'}={self.name}"]
        if wish.follow:
            command.append("--follow")
        if wish.lines is not None:
            command.append(f"--lines={wish.lines}")
        command += [f"--{key}={value}" for key, value in (("since", wish.since), ("priority", wish.priority)) if value]
        return tuple([*command, "--output=json"] if wish.json else command)

    def _package(self, wish: Install, root: Path) -> Plan:
        command = wish.command or Path(PACKAGED_COMMAND)
        check_command(command)
        systemd = this_systemd(self.machine) if wish.systemd is None else wish.systemd
        files = Files.rendered(Places.of_package(root, user=self._user), command, systemd, user=self._user)
        if not wish.force:
            refuse_changed(files)
        return package(files, root)

    def _control(self, verb: str) -> Plan:
        self._refuse(verb)
        main = self._show(self.name)
        refuse_masked(self.machine, (self.name, *self._sockets()))
        if not main.loaded:
            raise ServiceFailed(f"{self.name} is {main.state}", hint=f"`{self._verb('install')}` installs it")
        if verb == "reload" and not main.active:
            raise ServiceFailed(f"{self.name} does not run ({main.state})", hint=f"`{self._verb('start')}` starts it")
        names = (*self._sockets(), self.name) if verb in {"start", "stop"} else (self.name,)
        steps = [RunCommand((*self._systemctl, verb, *names), starts=verb != "stop")]
        failed = tuple(name for name in names if self._show(name)["ActiveState"] == "failed")
        if failed and verb in {"start", "restart"}:
            steps.insert(0, RunCommand((*self._systemctl, "reset-failed", *failed), fine=frozenset({0, 1})))
        return Plan(tuple(steps))

    def _refuse(self, verb: str) -> None:
        refuse_without_systemd(self.machine)
        if self._user:
            self.machine = dataclasses.replace(self.machine, environment=user_environment(self.machine))
        elif verb in _PRIVILEGED:
            refuse_other_users(self.machine, verb)

    def _command(self, wish: Install) -> Path:
        command = installed_command() if wish.command is None else wish.command
        check_command(command)
        return command

    def _files(self, command: Path, systemd: int | None) -> Files:
        places = Places.of_user(self.machine) if self._user else Places.of_machine(self.machine)
        version = this_systemd(self.machine) if systemd is None else systemd
        return Files.rendered(places, command, version, user=self._user)

    def _is_a_packages(self) -> bool:
        return not self._user and of_a_package(self.machine) is not None

    def _names(self, files: Files | None, *, tuning: bool) -> tuple[str, ...]:
        """Of the units to enable and start, the service last."""
        packaged = {file.path.name for file in files.units} if files is not None else None
        socket = self._named("ndfd", ".socket")
        there = self._show(socket).loaded if packaged is None else self._named_file(socket) in packaged
        return (*((TUNE_UNIT,) if tuning else ()), *((socket,) if there else ()), self.name)

    def _sockets(self) -> tuple[str, ...]:
        name = self._named("ndfd", ".socket")
        return (name,) if self._show(name).loaded else ()

    def _instances(self) -> tuple[str, ...]:
        """Those that run, are enabled or have failed."""
        said = self.machine.ask(*self._systemctl, "list-units", "--all", "--plain", "--no-legend", "--full", "ndfd@*")
        wants = Places.of_user(self.machine).units if self._user else Places.of_machine(self.machine).units
        found = [line.split()[0] for line in said.splitlines() if line.split()]
        found += [path.name for path in wants.glob("*.wants/ndfd@*")]
        return tuple(sorted(dict.fromkeys(found), key=lambda name: name.endswith(".service")))

    def _standings(self) -> tuple[ServiceFile, ...]:
        if self._is_a_packages():
            return ()
        try:
            files = self._files(self._command(Install()), None)
        except NdfdError:
            return ()
        there = (file for file in files if file.standing() is not Standing.MISSING or file.path.name != TUNE_UNIT)
        return tuple(ServiceFile(str(file.path), file.standing(), version_in(file.path)) for file in there)

    def _warnings(self, main: Unit) -> tuple[str, ...]:
        if not main.loaded:
            return ()
        found = []
        if main["NeedDaemonReload"] == "yes":
            found.append(f"a file of it was changed on the disk: `{' '.join(self._systemctl)} daemon-reload`")
        if any(file.standing is Standing.OLDER for file in self._standings()):
            found.append(f"another ndfd wrote its files: `{self._verb('install')}` brings them to this version")
        return tuple(found)

    def _last_lines(self, unit: Unit) -> tuple[str, ...]:
        """Of the last run of a unit: its own, and what systemd says of it."""
        invocation, who = unit["InvocationID"], "USER_" if self._user else ""
        if not self._user:
            self.machine.ask("journalctl", "--sync")
        which = [f"_SYSTEMD_INVOCATION_ID={invocation}", "+", f"{who}INVOCATION_ID={invocation}"]
        if not invocation:
            which = [f"--{'user-unit' if self._user else 'unit'}={unit.name}", "--boot"]
        said = self.machine.ask("journalctl", "--no-pager", "--quiet", "--output=cat", f"--lines={_LINES}", *which)
        return tuple(line for line in said.splitlines() if line.strip())

    def _show(self, name: str) -> Unit:
        return shown(self.machine, self._systemctl, name)

    def _named(self, stem: str, suffix: str) -> str:
        return f"{stem}{suffix}" if self._instance is None else f"{stem}@{self._instance}{suffix}"

    def _named_file(self, name: str) -> str:
        """The file of a unit: of an instance, that of its template."""
        return name if self._instance is None else name.replace(f"@{self._instance}.", "@.")

    def _hint(self, verb: str) -> dict[str, str]:
        """The commands that hints name."""
        where = f" --config-dir /etc/{folder_name(self.name)}" if self._instance is not None else ""
        service = "" if self._user else " --service"
        return {"start": self._verb(verb), "check": f"ndfd config check{service}{where}"}

    def _verb(self, verb: str) -> str:
        options = f"{' --user' if self._user else ''}{f' --instance {self._instance}' if self._instance else ''}"
        return f"ndfd service {verb}{options}"
