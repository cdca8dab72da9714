"""launchd: a LaunchDaemon of the machine, or a LaunchAgent of a user.

Not run on this platform: written from launchctl(1) and launchd.plist(5), and no command of it has met a real launchd.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ndfd import platform
from ndfd.errors import NdfdError, NotSupported, OutputError, ServiceFailed, ServiceFileChanged
from ndfd.service.launchd_plist import folders, parsed, rendered, sockets
from ndfd.service.machine import Machine
from ndfd.service.manager import Install, Logs, Manager, Uninstall
from ndfd.service.packaged import PACKAGED_COMMAND, installed_command, launchd_plist
from ndfd.service.plan import (
    MakeFolder,
    Plan,
    RemoveFile,
    RemoveFolder,
    RunCommand,
    Same,
    Standing,
    Step,
    WhenUndone,
    WriteFile,
)
from ndfd.service.refusals import refuse_other_users
from ndfd.service.report import ServiceFile, ServiceStatus
from ndfd.service.stamp import stamped, standing, version_in

#: Numbers of users and groups that macOS leaves to services of others.
_IDS = range(400, 500)
_USER = "_ndfd"
_LOGS = "/Library/Logs/ndfd"
#: `launchctl print` is for people (launchctl(1)): nothing else says as much, and what is not found is left out.
_SAID = re.compile(r"^\t(state|pid|runs|last exit code) = (.+)$", re.MULTILINE)
#: The exit status of `launchctl bootout` while the job still ends: EINPROGRESS.
_ENDING = frozenset({0, 36})


class Launchd(Manager):
    """The job io.ndfd.daemon in the domain `system`, or io.ndfd.agent in gui/UID."""

    def __init__(self, machine: Machine, *, user: bool, instance: str | None) -> None:
        """`NotSupported` for an instance."""
        self._no_instances(instance, "launchd")
        self.machine = machine
        self._user = user
        self.name = "io.ndfd.agent" if user else "io.ndfd.daemon"
        self._domain = f"gui/{machine.uid}" if user else "system"
        self._target = f"{self._domain}/{self.name}"

    def install(self, wish: Install) -> Plan:
        """The folders that launchd does not make, a user, the property list; loaded."""
        if wish.tuning:
            raise NotSupported("there is nothing of macOS that ndfd tunes", hint="leave --with-tuning out")
        if wish.package is not None:
            path, text = self._list(wish.package, wish.command or Path(PACKAGED_COMMAND))
            return Plan((self._file(path, text, wish.force),), ("nothing was run",))
        self._refuse("install")
        path, text = self._list(self.machine.root, wish.command or installed_command())
        file = self._file(path, text, wish.force)
        loaded = self._loaded()
        steps: list[Step] = [] if self._user else list(self._account())
        owner = None if self._user else (_USER, _USER)
        steps += [MakeFolder(self.machine.path(str(each)), 0o755, owner) for each in folders(parsed(text))]
        steps += self._load(path, file, loaded, wish)
        return Plan(tuple(steps), () if wish.start else ("it is not started: `ndfd service start` does that",))

    def uninstall(self, wish: Uninstall) -> Plan:
        """Unloaded, and its list removed."""
        if wish.package is not None:
            path, text = self._list(wish.package, Path(PACKAGED_COMMAND))
            self._file(path, text, wish.force)
            return Plan((RemoveFile(path),) if path.exists() else ())
        self._refuse("uninstall")
        path, text = self._list(self.machine.root, Path(PACKAGED_COMMAND))
        self._file(path, text, wish.force)
        steps: list[Step] = []
        if self._loaded():
            steps.append(RunCommand(("launchctl", "bootout", self._target), undo=self._bootstrap(path), fine=_ENDING))
        if path.exists():
            steps.append(RemoveFile(path))
        if wish.purge:
            steps += [RemoveFolder(folder) for folder in self.left_by_purge()]
            if not self._user and self.machine.ask("dscl", ".", "-read", f"/Users/{_USER}"):
                steps += [RunCommand(("dscl", ".", "-delete", f"/{kind}/{_USER}")) for kind in ("Users", "Groups")]
        kept = () if wish.purge else tuple(map(str, self.left_by_purge()))
        notes = (f"kept: {', '.join(kept)} (`ndfd service uninstall --purge` removes them)",) if kept else ()
        return Plan(tuple(steps), notes)

    def left_by_purge(self) -> tuple[Path, ...]:
        """State, configuration and logs."""
        config = platform.config_dirs(self.machine.environment, self.machine.home)
        state = platform.state_dirs(self.machine.environment, self.machine.home)
        home = self.machine.home
        own = (state.user, config.user, None if home is None else home / "Library/Logs/ndfd")
        found = own if self._user else (state.system, config.system, Path(_LOGS))
        return tuple(path for each in found if each is not None and (path := self.machine.path(each)).exists())

    def start(self) -> Plan:
        """Loads it where it is not, then starts it."""
        path = self._installed("start")
        steps: list[Step] = [] if self._loaded() else [RunCommand(self._bootstrap(path))]
        return Plan((*steps, RunCommand(("launchctl", "kickstart", self._target), starts=True)))

    def stop(self) -> Plan:
        """Unloads it until the next login or start of the machine: its sockets would start it again."""
        self._installed("stop")
        if not self._loaded():
            return Plan((Same(f"{self.name}: not loaded"),))
        return Plan((RunCommand(("launchctl", "bootout", self._target), fine=_ENDING),))

    def restart(self) -> Plan:
        """The process alone: the sockets stay."""
        path = self._installed("restart")
        steps: list[Step] = [] if self._loaded() else [RunCommand(self._bootstrap(path))]
        return Plan((*steps, RunCommand(("launchctl", "kickstart", "-k", self._target), starts=True)))

    def reload(self) -> Plan:
        """By SIGHUP."""
        self._installed("reload")
        return Plan((RunCommand(("launchctl", "kill", "SIGHUP", self._target)),))

    def status(self) -> ServiceStatus:
        """From `launchctl print`, and from the list."""
        path = self._path(self.machine.root)
        said = dict(_SAID.findall(self.machine.ask("launchctl", "print", self._target)))
        state, ended = said.get("state", "not loaded"), said.get("last exit code", "")
        installed, running = path.exists(), state == "running"
        runs = int(said["runs"]) if said.get("runs", "").isdecimal() else None
        failed = not running and ended.split(":")[0].strip() not in {"", "0", "(never exited)"}
        return ServiceStatus(
            manager="launchd",
            user=self._user,
            name=self.name,
            installed=installed,
            running=running,
            state=state if installed else "not installed",
            enabled="loaded" if said else "",
            pid=int(said["pid"]) if said.get("pid", "").isdecimal() else None,
            restarts=None if runs is None else max(0, runs - 1),
            why=f"last exit code {ended}; see `ndfd service logs`" if failed else None,
            sockets=sockets(parsed(path.read_text(encoding="utf-8"))) if installed else (),
            files=(self._standing(path),) if installed else (),
            logs=f"ndfd service logs{' --user' if self._user else ''}",
        )

    def failure(self, verb: str = "start") -> NdfdError | None:
        """With the last lines of its log."""
        status = self.status()
        if status.running or status.why is None or verb == "reload":
            return None
        lines = self.machine.ask("tail", "-n", "12", self._log()).splitlines()
        return ServiceFailed(f"{self.name} does not run: {status.why}", details=tuple(lines))

    def logs(self, wish: Logs) -> tuple[str, ...]:
        """The log file; with a time, what macOS has kept of the job itself."""
        if wish.priority is not None or wish.json:
            raise NotSupported("a log file has no priorities and no records", hint="leave --priority and --json out")
        if wish.since is not None:
            what = f'process == "ndfd" OR eventMessage CONTAINS "{self.name}"'
            return ("log", "show", "--style", "syslog", "--start", wish.since, "--predicate", what)
        lines = ("-n", str(wish.lines)) if wish.lines is not None else ("-n", "+1")
        return ("tail", *lines, *(("-F",) if wish.follow else ()), self._log())

    def _load(self, path: Path, file: Step, loaded: bool, wish: Install) -> Iterator[Step]:
        written = isinstance(file, WriteFile)
        if loaded and written:
            # Whatever follows fails: the old list is loaded again, when it is back.
            yield WhenUndone(self._bootstrap(path))
            yield RunCommand(("launchctl", "bootout", self._target), fine=_ENDING)
        yield file
        if wish.enable:
            yield RunCommand(("launchctl", "enable", self._target))
        if loaded and not written:
            yield Same(f"{self.name}: loaded")
        elif wish.start:
            yield RunCommand(self._bootstrap(path), undo=("launchctl", "bootout", self._target), starts=True)

    def _account(self) -> Iterator[Step]:
        """A user and a group that nobody can log in as; dscl(1)."""
        if self.machine.ask("dscl", ".", "-read", f"/Users/{_USER}"):
            yield Same(f"user {_USER}")
            return
        number = str(self._free_id())
        group, user = f"/Groups/{_USER}", f"/Users/{_USER}"
        yield RunCommand(("dscl", ".", "-create", group), undo=("dscl", ".", "-delete", group))
        yield RunCommand(("dscl", ".", "-create", group, "PrimaryGroupID", number))
        yield RunCommand(("dscl", ".", "-create", user), undo=("dscl", ".", "-delete", user))
        for key, value in (
            ("UniqueID", number),
            ("PrimaryGroupID", number),
            ("UserShell", "/usr/bin/false"),
            ("NFSHomeDirectory", "/var/empty"),
            ("RealName", "NeuralDocFlow document daemon"),
            ("IsHidden", "1"),
        ):
            yield RunCommand(("dscl", ".", "-create", user, key, value))

    def _free_id(self) -> int:
        kinds = (("/Users", "UniqueID"), ("/Groups", "PrimaryGroupID"))
        said = "\n".join(self.machine.ask("dscl", ".", "-list", *kind) for kind in kinds)
        taken = {line.split()[-1] for line in said.splitlines() if line.split()}
        for number in _IDS:
            if str(number) not in taken:
                return number
        raise NotSupported(f"no number from {_IDS.start} to {_IDS.stop - 1} is free for the user {_USER}")

    def _refuse(self, verb: str) -> None:
        if not self._user:
            refuse_other_users(self.machine, verb)

    def _installed(self, verb: str) -> Path:
        self._refuse(verb)
        path = self._path(self.machine.root)
        if not path.exists():
            raise ServiceFailed(f"{self.name} is not installed", hint="`ndfd service install` installs it")
        return path

    def _path(self, root: Path) -> Path:
        if not self._user:
            return root / "Library/LaunchDaemons" / f"{self.name}.plist"
        if self.machine.home is None:
            raise NotSupported("this user has no home to install a service into")
        return root / self.machine.home.relative_to("/") / "Library/LaunchAgents" / f"{self.name}.plist"

    def _list(self, root: Path, command: Path) -> tuple[Path, str]:
        text = launchd_plist(f"{self.name}.plist")
        return self._path(root), rendered(text, command, self.machine.home if self._user else None)

    def _file(self, path: Path, text: str, force: bool) -> Step:
        try:
            stands = standing(path, stamped(text))
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from error
        if not force and stands in {Standing.CHANGED, Standing.FOREIGN}:
            raise ServiceFileChanged(f"{path} is not as ndfd wrote it", hint="replace or remove it with --force")
        return Same(str(path)) if stands is Standing.CURRENT else WriteFile(path, stamped(text))

    def _standing(self, path: Path) -> ServiceFile:
        _, text = self._list(self.machine.root, installed_command())
        return ServiceFile(str(path), standing(path, stamped(text)), version_in(path))

    def _loaded(self) -> bool:
        return bool(self.machine.ask("launchctl", "print", self._target))

    def _bootstrap(self, path: Path) -> tuple[str, ...]:
        return ("launchctl", "bootstrap", self._domain, str(path))

    def _log(self) -> str:
        home = self.machine.home
        return str(home / "Library/Logs/ndfd/ndfd.log") if self._user and home is not None else f"{_LOGS}/ndfd.log"
