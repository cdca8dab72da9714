"""The files for service managers that come with ndfd, and the command that they start."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ndfd.errors import NotSupported, UsageError

#: The command as the files name it.
PACKAGED_COMMAND = "/usr/bin/ndfd"

_UNITS = (".service", ".socket", ".slice", ".target")

#: What a unit file can hold without quoting, and no specifier (systemd.syntax(7)).
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9_@+=:,./-]+")


@dataclass(frozen=True, slots=True)
class SystemdFiles:
    """As they are packaged, by file name."""

    units: Mapping[str, str]
    sysusers: Mapping[str, str]
    tmpfiles: Mapping[str, str]
    #: For some versions of systemd only: the name of the folder of versions, the unit, the drop-in's text.
    drop_ins: tuple[tuple[str, str, str], ...] = ()


def systemd_files(*, user: bool) -> SystemdFiles:
    """The units of the machine's manager, or those of a user's, which has no users and folders of its own."""
    system = packaging_folder() / "systemd"
    folder = system / "user" if user else system
    units = {name: text for name, text in _texts(folder, "*").items() if name.endswith(_UNITS)}
    drop_ins = tuple(
        (path.relative_to(system).parts[0], path.parent.name.removesuffix(".d"), path.read_text(encoding="utf-8"))
        for path in sorted(system.glob("*-*/user/*.d/*.conf" if user else "*-*/*.d/*.conf"))
    )
    if user:
        return SystemdFiles(units, {}, {}, drop_ins)
    return SystemdFiles(
        units, _texts(system / "sysusers.d", "*.conf"), _texts(system / "tmpfiles.d", "*.conf"), drop_ins
    )


def launchd_plist(name: str) -> str:
    """A property list by its file name."""
    return (packaging_folder() / "launchd" / name).read_text(encoding="utf-8")


def packaging_folder() -> Path:
    """`packaging` of the source tree, or share/ndfd/packaging of where ndfd is installed.

    That is below the folder that holds the library: <prefix>/lib/python3.N/site-packages/ndfd has <prefix>/share,
    whichever way it was installed. `NotSupported` when nothing of it was installed.
    """
    for folder in _candidates(Path(__file__).resolve().parents[1]):
        if folder.is_dir():
            return folder
    raise NotSupported(
        "this ndfd was installed without its files for service managers (share/ndfd/packaging)",
        hint="install it from a wheel: `pip install ndfd`",
    )


def installed_command() -> Path:
    """The command `ndfd` of this installation: the one that runs, or that beside the interpreter.

    `NotSupported` when there is none.
    """
    for path in _commands():
        if path.is_file():
            return path
    raise NotSupported(
        f"there is no command ndfd beside {sys.executable}",
        hint="name the one that the service shall run: --command PATH",
    )


def check_command(command: Path) -> None:
    """`UsageError` for one that a unit file cannot name."""
    if not command.is_absolute():
        raise UsageError(f"--command {command}: it is no absolute path")
    if not _PLAIN_PATH.fullmatch(command.as_posix()):
        raise UsageError(
            f"{command}: a unit file cannot name this path", hint="use a path of letters, digits and _ @ + = : , . / -"
        )


def _candidates(package: Path) -> Iterator[Path]:
    tree = package.parents[1]
    if (tree / "pyproject.toml").is_file():
        yield tree / "packaging"
    for folder in package.parents:
        yield folder / "share" / "ndfd" / "packaging"


def _commands() -> Iterator[Path]:
    running = Path(sys.argv[0])
    if running.name in {"ndfd", "ndfd.exe"} and running.is_absolute():
        yield running
    for name in ("ndfd", "ndfd.exe"):
        yield Path(sys.executable).parent / name


def _texts(folder: Path, pattern: str) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob(pattern)) if path.is_file()}
