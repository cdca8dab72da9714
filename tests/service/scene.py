"""A machine in a folder, with programs that write down how they were called and remember what they were told."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ndfd.errors import NdfdError
from ndfd.service.execution import carry_out
from ndfd.service.machine import Machine
from ndfd.service.manager import Install, Manager
from ndfd.service.plan import Plan, Standing
from ndfd.service.stamp import standing
from ndfd.service.systemd import Systemd

COMMAND = Path("/usr/bin/ndfd")

#: Every program: it is recorded, and fails when a line of `failing` is what it was called with.
_ANY = """#!/bin/sh
here=${0%/*}/..
called="${0##*/} $*"
echo "$called" >> "$here/calls"
if [ -e "$here/failing" ]; then
    while read -r each; do
        [ "$each" = "$called" ] || continue
        echo "it cannot be done" >&2
        # Whoever starts what fails sees it as failed.
        for unit; do :; done
        [ "$1" = start ] && : > "$here/states/$unit.failed"
        exit 1
    done < "$here/failing"
fi
"""

_SYSTEMCTL = (
    _ANY
    + """
[ "$1" = --user ] && shift
verb=$1; shift
root=$here/root
units=$root/etc/systemd/system
[ -e "$here/user-units" ] && read -r units < "$here/user-units"
case $verb in
--version) read -r version < "$here/version"; echo "systemd $version (a distribution)" ;;
show)
    for unit; do :; done
    case $unit in *@*) file="${unit%%@*}@.${unit##*.}" ;; *) file=$unit ;; esac
    load=not-found active=inactive enabled=
    for folder in "$units" "$root/usr/lib/systemd/system"; do
        [ -f "$folder/$file" ] && load=loaded enabled=disabled path=$folder/$file
    done
    [ -e "$here/states/$unit.failed" ] && active=failed
    [ -e "$here/states/$unit.active" ] && active=active
    [ -e "$here/states/$unit.enabled" ] && enabled=enabled
    printf 'LoadState=%s\\nActiveState=%s\\nSubState=some\\n' $load $active
    printf 'UnitFileState=%s\\nFragmentPath=%s\\n' "$enabled" "$path"
    case $unit in
    *.socket) printf 'Listen=/run/ndfd/%s (Stream)\\n' ndfd.sock http.sock ;;
    esac
    [ -e "$here/states/$unit.says" ] && cat "$here/states/$unit.says" ;;
start|restart) for unit; do rm -f "$here/states/$unit.failed"; : > "$here/states/$unit.active"; done ;;
stop) for unit; do rm -f "$here/states/$unit.active"; done ;;
enable) for unit; do : > "$here/states/$unit.enabled"; done ;;
disable) for unit; do rm -f "$here/states/$unit.enabled"; done ;;
reset-failed) for unit; do rm -f "$here/states/$unit.failed"; done ;;
list-units) cat "$here/instances" 2>/dev/null ;;
esac
exit 0
"""
)
_TMPFILES = (
    _ANY
    + """
for file; do :; done
while read -r kind path mode user group; do [ "$kind" = d ] && mkdir -p "$here/root$path"; done < "$file"
exit 0
"""
)
_USERS = """
for name; do :; done
case ${0##*/} in
systemd-sysusers) : > "$here/users/ndfd" ;;
useradd) : > "$here/users/$name" ;;
userdel) rm "$here/users/$name" ;;
esac
exit 0
"""
_JOURNALCTL = _ANY + '\ncat "$here/journal" 2>/dev/null\nexit 0\n'


class MachineInFolder(Machine):
    """That has no program and no user but its own."""

    __slots__ = ()

    def program(self, name: str) -> str | None:
        """In its own folder."""
        return shutil.which(name, path=self.environment["PATH"])

    def knows_user(self, name: str) -> bool:
        """By a file."""
        return (self.root.parent / "users" / name).exists()


@dataclass
class Scene:
    """The machine, and what was done to it."""

    folder: Path
    machine: Machine

    @classmethod
    def made(cls, folder: Path, *, uid: int = 0, systemd: int = 252) -> Scene:
        """With systemd running, and nothing installed."""
        bin_dir = folder / "bin"
        for each in ("bin", "states", "users", "root/run/systemd/system", "root/etc", "root/home/me"):
            (folder / each).mkdir(parents=True)
        scripts = {"systemctl": _SYSTEMCTL, "systemd-tmpfiles": _TMPFILES, "journalctl": _JOURNALCTL}
        scripts |= dict.fromkeys(("systemd-sysusers", "useradd", "groupadd", "userdel", "groupdel"), _ANY + _USERS)
        for name, text in scripts.items():
            (bin_dir / name).write_text(text)
            (bin_dir / name).chmod(0o755)
        for name in ("sh", "cat", "rm", "mkdir"):
            (bin_dir / name).symlink_to(shutil.which(name) or name)
        (folder / "version").write_text(f"{systemd}\n")
        environment = {"PATH": str(bin_dir), "USER": "me"}
        return cls(folder, MachineInFolder(environment, uid, Path("/home/me"), folder / "root"))

    def calls(self, *without: str) -> list[str]:
        """How programs were called since the last time, but for those that only look."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        looks = ("systemctl show", "systemctl --user show", "systemctl --version", "systemctl list-units", "journalctl")
        return [line for line in lines if not line.startswith((*looks, *without))]

    def fail(self, *calls: str) -> None:
        """Has these calls of programs fail."""
        (self.folder / "failing").write_text("".join(f"{call}\n" for call in calls))

    def manager(self, *, user: bool = False, instance: str | None = None) -> Systemd:
        """systemd, as it is now."""
        return Systemd(self.machine, user=user, instance=instance)

    def do(self, plan: Plan, manager: Manager | None = None) -> list[str]:
        """Carries a plan out; what was told."""
        told: list[str] = []
        try:
            carry_out(
                plan,
                manager.machine if manager is not None else self.machine,
                lambda what, subject: told.append(f"{what} {subject}"),
                manager.failure if manager is not None else lambda: None,
            )
        except NdfdError as error:
            error.details = (*error.details, *told)
            raise
        finally:
            self.told = told
        return told

    def install(self, wish: Install | None = None, **which: object) -> list[str]:
        """As the command does."""
        manager = self.manager(**which)  # type: ignore[arg-type]
        return self.do(manager.install(wish or Install(COMMAND)), manager)

    def files(self) -> dict[str, bytes | str]:
        """Every file and empty folder of the machine."""
        root = self.machine.root
        found: dict[str, bytes | str] = {}
        for folder, folders, names in os.walk(root):
            for name in names:
                path = Path(folder, name)
                found[str(path.relative_to(root))] = path.read_bytes() if path.is_file() else str(path.readlink())
            if not folders and not names:
                found[str(Path(folder).relative_to(root))] = "empty"
        return found

    def unit(self, name: str) -> Path:
        """The path of a unit's file."""
        return self.machine.path("/etc/systemd/system") / name

    def standing(self, name: str) -> Standing:
        """Of a unit's file, to nothing that is wanted."""
        return standing(self.unit(name), None)
