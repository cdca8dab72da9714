"""What taking the service away from systemd takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ndfd.service.machine import Machine
from ndfd.service.manager import Uninstall
from ndfd.service.plan import Plan, RemoveFolder, RunCommand, Standing, Step, WhenUndone
from ndfd.service.systemd_files import TUNE_UNIT, Files, folder_name, removals
from ndfd.service.systemd_units import Unit
from ndfd.service.units import folders_of_tmpfiles, users_of_sysusers, values

#: `ndfd tune revert`: all was put back, or somebody else has set a value since, which stays.
_REVERTED = frozenset({0, 65})
#: userdel(8), groupdel(8): there is none of the name.
_GONE = frozenset({0, 6})


@dataclass(frozen=True, slots=True)
class Installed:
    """What is there to be taken away."""

    machine: Machine
    systemctl: tuple[str, ...]
    #: None: they are a package's.
    files: Files | None
    #: Every unit, also each instance that is known.
    units: tuple[Unit, ...]
    #: The folders of state, configuration and logs that are there.
    folders: tuple[Path, ...]


def removal(found: Installed, wish: Uninstall) -> Plan:
    """Its steps. State and configuration stay unless they shall go as well."""
    loaded = tuple(unit for unit in found.units if unit.loaded)
    running = tuple(unit.name for unit in loaded if unit["ActiveState"] not in {"inactive", "failed"})
    enabled = tuple(unit.name for unit in loaded if unit.enabled)
    steps: list[Step] = []
    removed = [] if found.files is None else removals(found.files)
    if removed:
        steps.append(WhenUndone((*found.systemctl, "daemon-reload")))
    steps += _revert_tuning(found, loaded)
    if running:
        steps.append(RunCommand((*found.systemctl, "stop", *running), undo=(*found.systemctl, "start", *running)))
    if enabled:
        steps.append(RunCommand((*found.systemctl, "disable", *enabled), undo=(*found.systemctl, "enable", *enabled)))
    steps += removed
    if removed:
        steps.append(RunCommand((*found.systemctl, "daemon-reload")))
        failed = tuple(unit.name for unit in loaded if unit["ActiveState"] == "failed")
        steps += [RunCommand((*found.systemctl, "reset-failed", name), fine=frozenset({0, 1})) for name in failed]
    steps += _run_time_folders(found, loaded)
    if wish.purge:
        steps += [RemoveFolder(folder) for folder in found.folders]
        steps += _users(found)
    return Plan(tuple(steps), tuple(_notes(found, wish)))


def _revert_tuning(found: Installed, loaded: tuple[Unit, ...]) -> Iterator[Step]:
    """Its ExecStopPost= does the same when it is stopped; here, what keeps it from that is told and ends it all."""
    for unit in loaded:
        if unit.name == TUNE_UNIT:
            path = Path(unit["FragmentPath"])
            started = values(path.read_text(encoding="utf-8"), "ExecStart") if path.is_file() else ()
            command = started[0].split()[0] if started else "ndfd"
            undo = (*found.systemctl, "start", TUNE_UNIT) if unit.active else None
            yield RunCommand((command, "tune", "revert", "--service"), undo=undo, fine=_REVERTED)


def _run_time_folders(found: Installed, loaded: tuple[Unit, ...]) -> Iterator[Step]:
    names = [f"/run/{folder_name(unit.name)}" for unit in loaded if "@" in unit.name]
    for file in found.files.tmpfiles if found.files is not None else ():
        names += [folder for folder in folders_of_tmpfiles(file.text) if folder.startswith("/run/")]
    for name in dict.fromkeys(names):
        if found.machine.path(name).is_dir():
            yield RemoveFolder(found.machine.path(name))


def _users(found: Installed) -> Iterator[Step]:
    for file in found.files.sysusers if found.files is not None else ():
        for name in users_of_sysusers(file.text):
            if found.machine.knows_user(name):
                yield RunCommand(("userdel", name), fine=_GONE)
                # userdel leaves it where USERGROUPS_ENAB of login.defs(5) says so.
                yield RunCommand(("groupdel", name), fine=_GONE)


def _notes(found: Installed, wish: Uninstall) -> Iterator[str]:
    if found.files is None:
        yield "its files are those of a package of this distribution, which takes them away"
    kept = () if wish.purge else tuple(map(str, found.folders))
    if kept:
        yield f"kept: {', '.join(kept)} (`ndfd service uninstall --purge` removes them)"
    if not wish.purge:
        drop_ins = dict.fromkeys(path for unit in found.units for path in unit["DropInPaths"].split())
        if drop_ins:
            yield f"kept: {', '.join(drop_ins)}"


def is_there(files: Files) -> bool:
    """Whether any of them is."""
    return any(file.standing() is not Standing.MISSING for file in files)
