"""Unit files adapted to where ndfd lies and to which systemd runs them; what they hide, and where they listen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from ndfd.service.packaged import PACKAGED_COMMAND

#: The first systemd with Type=notify-reload; an older one takes it for a mistake and runs the unit as Type=simple.
NOTIFY_RELOAD_SINCE = 253

_COMMAND = re.compile(rf"(?<![\w./-]){re.escape(PACKAGED_COMMAND)}(?![\w./-])")
_VERSION = re.compile(r"^systemd v?(\d+)", re.MULTILINE)
_FOLDER_OF_VERSIONS = re.compile(r"(before|since)-(\d+)")

#: systemd.exec(5), ProtectHome= and PrivateTmp=.
_HIDDEN = {"ProtectHome": ("/home", "/root", "/run/user"), "PrivateTmp": ("/tmp", "/var/tmp")}  # noqa: S108
_NO = frozenset({"", "no", "false", "0", "off", "n", "f", "read-only"})


def systemd_version(said: str) -> int | None:
    """The number in what `systemctl --version` prints; None when there is none."""
    found = _VERSION.search(said)
    return None if found is None else int(found[1])


def is_for(folder: str, systemd: int) -> bool:
    """Whether the drop-ins of a folder, "before-253" or "since-254", are for this version; False for any other name."""
    found = _FOLDER_OF_VERSIONS.fullmatch(folder)
    return found is not None and (systemd < int(found[2])) == (found[1] == "before")


def rendered(text: str, command: str, systemd: int, sees: Iterable[str] = ()) -> str:
    """The unit for this command and this version of systemd; comments stay as they are.

    A unit whose process sees only what it names (RootDirectory=) sees the folders of `sees` as well.
    """
    lines = text.splitlines()
    if values(text, "RootDirectory"):
        _insert(lines, "Service", [f"BindReadOnlyPaths={folder}" for folder in sees])
    return "".join(f"{line}\n" for line in _lines(lines, command, systemd))


def with_drop_in(text: str, drop_in: str) -> str:
    """A unit that holds what a drop-in of it says: each of its sections goes to the end of the unit's own."""
    lines = text.splitlines()
    section, found = "", list[str]()
    for line in [*drop_in.splitlines(), "[]"]:
        if line.startswith("["):
            _insert(lines, section, found)
            section, found = line.strip("[]"), []
        elif line.strip() and section:
            found.append(line)
    return "".join(f"{line}\n" for line in lines)


def values(text: str, key: str) -> tuple[str, ...]:
    """The values of a key, in order; an empty one clears those before it."""
    found: list[str] = []
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator and name.strip() == key:
            found = [*found, value.strip()] if value.strip() else []
    return tuple(found)


def hiding(unit: str, path: PurePosixPath) -> str | None:
    """The line by which a unit's process does not see a path; None when it sees it."""
    for folder, line in _hidden_folders(unit):
        if path.is_relative_to(folder):
            return line
    root = values(unit, "RootDirectory")
    if root and not any(path.is_relative_to(folder) for folder in _bound(unit)):
        return f"RootDirectory={root[-1]}"
    return None


def service_user(unit: str) -> str | None:
    """The user that a unit's process runs as; None for root."""
    return next(iter(values(unit, "User")[-1:]), None)


def folders_of_tmpfiles(text: str) -> tuple[str, ...]:
    """The folders that a file of tmpfiles.d(5) makes."""
    fields = (line.split() for line in text.splitlines())
    return tuple(field[1] for field in fields if len(field) > 1 and field[0].rstrip("!") in {"d", "D"})


def users_of_sysusers(text: str) -> tuple[str, ...]:
    """The users that a file of sysusers.d(5) makes."""
    fields = (line.split() for line in text.splitlines())
    return tuple(field[1] for field in fields if len(field) > 1 and field[0].rstrip("!") == "u")


def _lines(lines: list[str], command: str, systemd: int) -> Iterator[str]:
    has_reload = any(line.startswith("ExecReload=") for line in lines)
    for line in lines:
        if line.startswith(("#", ";")):
            yield line
        elif systemd >= NOTIFY_RELOAD_SINCE or not line.startswith(("Type=notify-reload", "ReloadSignal=")):
            yield _COMMAND.sub(command, line)
        elif line.startswith("Type="):
            yield "Type=notify"
            if not has_reload:
                yield f"ExecReload={command} reload"


def _insert(lines: list[str], section: str, more: list[str]) -> None:
    """At the end of a section, before the empty lines that divide it from the next; a new one where there is none."""
    if not more:
        return
    heading = f"[{section}]"
    if heading not in lines:
        lines += ["", heading, *more]
        return
    begin = lines.index(heading) + 1
    end = next((at for at in range(begin, len(lines)) if lines[at].startswith("[")), len(lines))
    while end > begin and not lines[end - 1].strip():
        end -= 1
    lines[end:end] = more


def _hidden_folders(unit: str) -> Iterator[tuple[PurePosixPath, str]]:
    for key, folders in _HIDDEN.items():
        value = (values(unit, key) or ("",))[-1]
        if value.lower() not in _NO:
            yield from ((PurePosixPath(folder), f"{key}={value}") for folder in folders)
    for value in values(unit, "InaccessiblePaths"):
        for path in value.split():
            yield PurePosixPath(path.lstrip("-+")), f"InaccessiblePaths={path}"


def _bound(unit: str) -> Iterator[PurePosixPath]:
    for value in (*values(unit, "BindReadOnlyPaths"), *values(unit, "BindPaths")):
        for path in value.split():
            yield PurePosixPath(path.lstrip("-").partition(":")[0])
