"""The files of the service under systemd: what they shall hold, where they go, and how those that are there stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ndfd.errors import NotSupported, OutputError, ServiceFileChanged
from ndfd.service.machine import Machine
from ndfd.service.packaged import PACKAGED_COMMAND, systemd_files
from ndfd.service.plan import RemoveFile, Same, Standing, Step, WriteFile
from ndfd.service.refusals import folders_beyond
from ndfd.service.stamp import stamped, standing
from ndfd.service.units import is_for, rendered, systemd_version, with_drop_in

TUNE_UNIT = "ndfd-tune.service"

#: Where units of packages lie (systemd.unit(5)); /lib is another name of /usr/lib where it is not one of its own.
_OF_PACKAGES = ("/usr/lib/systemd/system/ndfd.service", "/lib/systemd/system/ndfd.service")
_MASKS = ("/etc/systemd/system", "/run/systemd/system")


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of the files."""

    units: Path
    sysusers: Path
    tmpfiles: Path

    @classmethod
    def of_machine(cls, machine: Machine) -> Places:
        """Those of the administrator, which no package writes to."""
        etc = machine.path("/etc")
        return cls(etc / "systemd" / "system", etc / "sysusers.d", etc / "tmpfiles.d")

    @classmethod
    def of_user(cls, machine: Machine) -> Places:
        """Those of this user's manager; `NotSupported` for a user without a home."""
        named = machine.environment.get("XDG_CONFIG_HOME")
        if not named and machine.home is None:
            raise NotSupported("this user has no home to install a service into", hint="name one with XDG_CONFIG_HOME")
        config = Path(named) if named else Path(machine.home or "/", ".config")
        units = machine.path(config) / "systemd" / "user"
        return cls(units, units, units)

    @classmethod
    def of_package(cls, root: Path, *, user: bool) -> Places:
        """Those of packages, below a folder."""
        library = root / "usr" / "lib"
        return cls(library / "systemd" / ("user" if user else "system"), library / "sysusers.d", library / "tmpfiles.d")


@dataclass(frozen=True, slots=True)
class File:
    """One file of the service."""

    path: Path
    #: As it shall be.
    data: bytes
    text: str

    def standing(self) -> Standing:
        """How what is there stands to that; `OutputError` when it cannot be read."""
        try:
            return standing(self.path, self.data)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error

    def step(self) -> Step:
        """What brings it to that, whatever is there."""
        return Same(str(self.path)) if self.standing() is Standing.CURRENT else WriteFile(self.path, self.data)


@dataclass(frozen=True, slots=True)
class Files:
    """All of them."""

    units: tuple[File, ...]
    sysusers: tuple[File, ...]
    tmpfiles: tuple[File, ...]

    @classmethod
    def rendered(cls, places: Places, command: Path, systemd: int, *, user: bool) -> Files:
        """For a command and a version of systemd."""
        packaged = systemd_files(user=user)
        units: dict[str, str] = {}
        for name, text in packaged.units.items():
            for versions, unit, drop_in in packaged.drop_ins:
                if unit == name and is_for(versions, systemd):
                    text = with_drop_in(text, drop_in)
            sees = () if command == Path(PACKAGED_COMMAND) else folders_beyond(text, command)
            units[name] = rendered(text, command.as_posix(), systemd, sees)
        return cls(
            _files(places.units, units),
            _files(places.sysusers, packaged.sysusers),
            _files(places.tmpfiles, packaged.tmpfiles),
        )

    def __iter__(self) -> Iterator[File]:
        yield from (*self.sysusers, *self.tmpfiles, *self.units)

    def text(self, name: str) -> str:
        """Of a unit, or empty."""
        return next((file.text for file in self.units if file.path.name == name), "")

    def without_tuning(self) -> Files:
        """But for the unit that tunes the system."""
        return Files(tuple(file for file in self.units if file.path.name != TUNE_UNIT), self.sysusers, self.tmpfiles)


def this_systemd(machine: Machine) -> int:
    """The version of this machine's systemd; 0 where there is none: what the oldest takes, all do."""
    return systemd_version(machine.ask("systemctl", "--version")) or 0


def refuse_changed(files: Iterable[File]) -> None:
    """`ServiceFileChanged` when somebody has changed, or wrote himself, any of them."""
    said = {Standing.CHANGED: "was changed since ndfd wrote it", Standing.FOREIGN: "was not written by ndfd"}
    found = [f"{file.path} {said[stands]}" for file in files if (stands := file.standing()) in said]
    if len(found) == 1:
        raise ServiceFileChanged(found[0])
    if found:
        raise ServiceFileChanged(f"{len(found)} files are not as ndfd wrote them", details=tuple(found))


def removals(files: Files) -> list[Step]:
    """Of those that are there."""
    return [RemoveFile(file.path) for file in files if file.standing() is not Standing.MISSING]


def refuse_masked(machine: Machine, names: Iterable[str]) -> None:
    """`ServiceFileChanged` when the operator has masked a unit: it can be neither written nor started."""
    for name in names:
        for folder in _MASKS:
            path = machine.path(folder) / name
            if path.is_symlink() and path.readlink() == Path("/dev/null"):
                raise ServiceFileChanged(
                    f"{name} is masked ({path} leads to /dev/null)",
                    hint=f"if that is no longer wanted: `systemctl unmask {name}`",
                )


def folder_name(unit: str) -> str:
    """What the folders of a service are called: of ndfd@fast.service and its sockets, ndfd-fast."""
    return unit.rpartition(".")[0].replace("@", "-")


def of_a_package(machine: Machine) -> Path | None:
    """The unit that a package of the distribution installed; None where none did."""
    return next((path for path in map(machine.path, _OF_PACKAGES) if path.is_file()), None)


def _files(folder: Path, texts: Mapping[str, str]) -> tuple[File, ...]:
    return tuple(File(folder / name, stamped(text), text) for name, text in texts.items())
