"""What keeps a service from being installed, said before anything is changed."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from ndfd.errors import NotPermitted, NotSupported
from ndfd.service.machine import Machine
from ndfd.service.units import hiding, service_user

#: sd_booted(3).
_BOOTED = "/run/systemd/system"
_ELSEWHERE = (
    "install ndfd where every user may read it (`python3 -m venv /opt/ndfd`), and run that `ndfd service install`"
)


def refuse_without_systemd(machine: Machine) -> None:
    """`NotSupported` where systemd is not process 1."""
    if not machine.path(_BOOTED).is_dir():
        raise NotSupported(
            f"systemd does not run here ({_BOOTED} is missing), so there is nothing to install a service into",
            hint="run the daemon with `ndfd run`, under whatever starts programs here",
        )


def refuse_other_users(machine: Machine, verb: str) -> None:
    """`NotPermitted` for anybody but root."""
    if machine.uid != 0:
        raise NotPermitted(
            "only root may change the machine's services",
            hint=f"`sudo ndfd service {verb}`, or a service of your own: `ndfd service {verb} --user`",
        )


def user_environment(machine: Machine) -> dict[str, str]:
    """The environment with which this user's manager is reached. `NotSupported` where there is none.

    A login by su or sudo leaves XDG_RUNTIME_DIR out; the folder is there all the same.
    """
    named = machine.environment.get("XDG_RUNTIME_DIR")
    for folder in filter(None, (named, f"/run/user/{machine.uid}")):
        if machine.path(Path(folder) / "systemd" / "private").exists():
            return {**machine.environment, "XDG_RUNTIME_DIR": folder}
    raise NotSupported(
        "this user has no service manager that runs",
        hint=f"`sudo loginctl enable-linger {machine.environment.get('USER') or machine.uid}` starts it, now and "
        "with the machine; or run the daemon with `ndfd run`",
    )


def refuse_unreachable(unit: str, command: Path) -> None:
    """`NotSupported` when a process of the unit could not run the command: hidden, or not readable by its user."""
    paths = needed_paths(command)
    for path in paths:
        if (line := hiding(unit, PurePosixPath(path))) is not None:
            raise NotSupported(f"the service could not see {path}: its unit has {line}", hint=_ELSEWHERE)
    user = service_user(unit)
    if user is None:
        return
    ids = _ids_of(user)
    for path in paths:
        for each in (*reversed(path.parents), path):
            if not _allows(each, ids):
                said = f"the service could not read {path}: its user, {user}, may not read {each}"
                raise NotSupported(said, hint=_ELSEWHERE)


def refuse_changeable(unit: str, command: Path) -> None:
    """`NotSupported` when others than root could change what this unit runs as root.

    They could in a folder that they may write to, but for what is root's own in one like /tmp (S_ISVTX).
    """
    for path in needed_paths(command):
        for each in (*reversed(path.parents), path):
            if (who := _who_may_change(each)) is not None:
                said = f"{unit} would run {path} as root, which {who} can change: {each}"
                raise NotSupported(said, hint="install ndfd as root, where nobody else may write (`/opt/ndfd`)")


def folders_beyond(unit: str, command: Path) -> tuple[str, ...]:
    """The folders of the command, its interpreter and its code that a process of the unit does not see by itself.

    Those that it hides from everybody, such as homes, are left out: they are refused.
    """
    roots = (command.parent, Path(sys.prefix), Path(sys.base_prefix), Path(__file__).resolve().parents[2])
    found: dict[str, None] = {}
    for path in needed_paths(command):
        line = hiding(unit, PurePosixPath(path))
        if line is not None and line.startswith("RootDirectory="):
            holding = [root for root in roots if path.is_relative_to(root)]
            found[str(min(holding, key=lambda root: len(root.parts), default=path.parent))] = None
    return tuple(found)


def needed_paths(command: Path) -> tuple[Path, ...]:
    """What a process opens to run the command: as it is written, and where that really lies."""
    return tuple(dict.fromkeys(_needed(command)))


def _needed(command: Path) -> Iterator[Path]:
    """The command, its interpreter and, where that is ours, its code; as written, and where it really lies."""
    yield command
    yield command.resolve()
    interpreter = _interpreter(command)
    if interpreter is None:
        return
    yield interpreter
    yield interpreter.resolve()
    if interpreter == Path(sys.executable):
        yield Path(os.__file__)
        for name in ("ndfd", "click"):
            found = find_spec(name)
            if found is not None and found.origin is not None:
                yield Path(found.origin)


def _interpreter(command: Path) -> Path | None:
    """What the command's first line names; None for a compiled one, and for one that this user cannot read."""
    try:
        with command.open("rb") as file:
            first = file.readline(4096)
    except OSError:
        return None
    if not first.startswith(b"#!") or not first[2:].split():
        return None
    return Path(os.fsdecode(first[2:].split()[0]))


def _ids_of(user: str) -> tuple[int, frozenset[int]] | None:
    """The number and the groups of a user; None for one who is not there yet."""
    # Not at the top: Windows has neither module.
    import pwd

    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return None
    return entry.pw_uid, frozenset(os.getgrouplist(user, entry.pw_gid))


def _allows(path: Path, ids: tuple[int, frozenset[int]] | None) -> bool:
    """Whether a user may enter the folder or read the file, by its permission bits; what is not there is no matter."""
    try:
        status = path.stat()
    except OSError:
        return True
    wanted = stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else stat.S_IROTH
    if ids is not None and status.st_uid == ids[0]:
        wanted <<= 6
    elif ids is not None and status.st_gid in ids[1]:
        wanted <<= 3
    return bool(status.st_mode & wanted)


def _who_may_change(path: Path) -> str | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    if status.st_uid != 0:
        return f"user {status.st_uid}"
    if stat.S_ISLNK(status.st_mode) or status.st_mode & stat.S_ISVTX:
        return None
    if status.st_mode & stat.S_IWOTH:
        return "everybody"
    return f"group {status.st_gid}" if status.st_mode & stat.S_IWGRP and status.st_gid != 0 else None
