"""What installing under systemd takes, step after step, from what is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ndfd.service.machine import Machine
from ndfd.service.manager import Install
from ndfd.service.plan import Plan, RunCommand, Same, Step, WhenUndone, WriteFile
from ndfd.service.systemd_files import TUNE_UNIT, Files, folder_name
from ndfd.service.systemd_units import Unit
from ndfd.service.units import folders_of_tmpfiles, users_of_sysusers

_LOGIN = "/usr/sbin/nologin"


@dataclass(frozen=True, slots=True)
class Installation:
    """What an installation starts from."""

    machine: Machine
    #: With the options that name the manager: ("systemctl", "--user").
    systemctl: tuple[str, ...]
    #: None: a package of the distribution has put them there.
    files: Files | None
    #: To be enabled and started, in this order; the service itself is the last one.
    units: tuple[Unit, ...]
    user: bool


def installation(found: Installation, wish: Install) -> Plan:
    """Its steps. Nothing is started again that runs as it is."""
    writes: list[Step] = []
    written = False
    if found.files is not None:
        writes = [
            *_accounts(found.machine, found.files, folder_name(found.units[-1].name)),
            *(file.step() for file in found.files.units),
        ]
        written = any(isinstance(step, WriteFile) for step in writes)
    steps = [*writes]
    main = found.units[-1]
    if written:
        steps = [*_when_undone(found, main), *writes]
    if written or any(unit["NeedDaemonReload"] == "yes" for unit in found.units):
        steps.append(RunCommand((*found.systemctl, "daemon-reload")))
    if wish.enable:
        steps.append(_enable(found))
    if wish.start:
        steps += _start(found, written)
    return Plan(tuple(steps), tuple(_notes(found, wish)))


def _when_undone(found: Installation, main: Unit) -> Iterator[Step]:
    """What follows when the files are as they were, the last one first."""
    if main.active:
        yield WhenUndone((*found.systemctl, "restart", main.name))
    else:
        # A unit that has failed is remembered also without its file. 1: it has not.
        yield WhenUndone((*found.systemctl, "reset-failed", main.name), fine=frozenset({0, 1}))
    yield WhenUndone((*found.systemctl, "daemon-reload"))


def _accounts(machine: Machine, files: Files, folder: str) -> Iterator[Step]:
    for file in files.sysusers:
        yield file.step()
        users = users_of_sysusers(file.text)
        missing = [name for name in users if not machine.knows_user(name)]
        yield from (Same(f"user {name}") for name in users if name not in missing)
        if missing and machine.program("systemd-sysusers") is not None:
            undo = ("userdel", missing[0])
            yield RunCommand(("systemd-sysusers", str(file.path)), undo, _owned(machine, folder))
        else:
            yield from (step for name in missing for step in _user(machine, name, folder))
    for file in files.tmpfiles:
        step = file.step()
        folders = tuple(machine.path(folder) for folder in folders_of_tmpfiles(file.text))
        yield step
        if isinstance(step, WriteFile) or not all(folder.is_dir() for folder in folders):
            yield RunCommand(("systemd-tmpfiles", "--create", str(file.path)), folders=folders)


def _owned(machine: Machine, folder: str) -> tuple[Path, ...]:
    """The folders that a start makes for the user, and that stay when it fails: there may be work in them."""
    return tuple(machine.path(f"/var/{kind}/{folder}") for kind in ("lib", "log", "cache"))


def _user(machine: Machine, name: str, folder: str) -> Iterator[Step]:
    """Without systemd-sysusers: as it would make it. 9: the group is there already (groupadd(8))."""
    yield RunCommand(("groupadd", "--system", name), fine=frozenset({0, 9}))
    options = ("--system", "--gid", name, "--no-create-home", "--home-dir", f"/var/lib/{name}", "--shell", _LOGIN)
    yield RunCommand(("useradd", *options, name), ("userdel", name), _owned(machine, folder))


def _enable(found: Installation) -> Step:
    names = tuple(unit.name for unit in found.units)
    new = tuple(unit.name for unit in found.units if not unit.enabled)
    if not new:
        return Same(f"{', '.join(names)}: enabled")
    return RunCommand((*found.systemctl, "enable", *names), undo=(*found.systemctl, "disable", *new))


def _start(found: Installation, written: bool) -> Iterator[Step]:
    main = found.units[-1]
    for unit in found.units:
        if unit["ActiveState"] == "failed":
            yield RunCommand((*found.systemctl, "reset-failed", unit.name), fine=frozenset({0, 1}))
    tune = [unit for unit in found.units if unit.name == TUNE_UNIT]
    yield from _started(found, tuple(unit for unit in tune if not unit.active))
    if main.active and written:
        yield RunCommand((*found.systemctl, "restart", main.name), starts=True)
        return
    others = tuple(unit for unit in found.units if unit.name != TUNE_UNIT)
    yield from _started(found, tuple(unit for unit in others if not unit.active))
    if active := [unit.name for unit in found.units if unit.active]:
        yield Same(f"{', '.join(active)}: active")


def _started(found: Installation, units: tuple[Unit, ...]) -> Iterator[Step]:
    names = tuple(unit.name for unit in units)
    if names:
        yield RunCommand((*found.systemctl, "start", *names), undo=(*found.systemctl, "stop", *names), starts=True)


def _notes(found: Installation, wish: Install) -> Iterator[str]:
    if found.files is None:
        yield "its files are those of a package of this distribution, and stay as they are"
    if not wish.start and not found.units[-1].active:
        yield "it is not started: `ndfd service start` does that"
    if found.user:
        yield "it runs while you are logged in; `loginctl enable-linger` has it run from the machine's start on"
    else:
        yield "users of the group ndfd may use it: `usermod --append --groups ndfd NAME`"


def package(files: Files, root: Path) -> Plan:
    """Only the files, below a folder."""
    return Plan(
        tuple(file.step() for file in files), (f"nothing was run: a package enables and starts what is below {root}",)
    )
