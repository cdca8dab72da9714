r"""What ndfd is as a Windows service, and the commands of the system that install it so.

Values only. `windows_service_install` does the same by calls of the system; the commands are for those who want to see
what is done, or to do it by a script of their own.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PureWindowsPath

from ndfd.errors import UsageError
from ndfd.platform.windows_event_log import MESSAGE_FILE, TYPES_SUPPORTED
from ndfd.platform.windows_service_course import Limits

#: CreateService takes 256 characters, and no slash; a service of ndfd needs no other than these.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
#: ImagePath is a REG_EXPAND_SZ: the SCM puts a variable's value there, and there is no way to write a plain one.
_VARIABLE = re.compile(r"%[^%]+%")
#: CreateProcess takes this many characters, with the NUL.
_COMMAND_LINE_MAX = 32767

#: Well-known SIDs: their names are translated in a Windows of another language.
_LOCAL_SYSTEM, _ADMINISTRATORS = "*S-1-5-18", "*S-1-5-32-544"


@dataclass(frozen=True, slots=True)
class ServiceDefinition:
    """A service in a process of its own, under a virtual account, started after the machine's own services."""

    name: str
    #: The program of the service and its arguments; `host_command` gives those of the service host.
    command: tuple[str, ...]
    #: %ProgramData%\ndfd: nobody but administrators writes there, and in `log` and `state` below it the service.
    data_dir: PureWindowsPath
    display_name: str = "NeuralDocFlow daemon"
    description: str = "Turns documents into checked, structured records for programs on this machine."
    #: Seconds before the restart after the first failure, the second, and every later one.
    restart_delays_s: tuple[float, ...] = (1.0, 5.0, 30.0)
    #: Seconds without a failure after which the next counts as the first again.
    failure_reset_s: int = 86400
    #: How long the machine's shutdown waits for the service to drain.
    preshutdown_s: float = 75.0
    #: What its token keeps: passing through folders, which every program needs. Nothing that an administrator has.
    privileges: tuple[str, ...] = ("SeChangeNotifyPrivilege",)

    def __post_init__(self) -> None:
        """`UsageError` for what Windows could not hold."""
        if not _NAME.fullmatch(self.name):
            raise UsageError(
                f"{self.name!r} is no name for a service",
                hint="use at most 80 letters, digits, _ . and -",
            )
        self.command_line  # noqa: B018 - checks it

    @property
    def account(self) -> str:
        """The virtual account of the service: it has no password, and nobody else has it."""
        return rf"NT SERVICE\{self.name}"

    @property
    def command_line(self) -> str:
        """The command as one text, from which a program built with Microsoft's C library reads the same arguments."""
        return command_line(self.command)

    @property
    def writable(self) -> tuple[PureWindowsPath, ...]:
        """The folders that the service writes to."""
        return self.data_dir / "log", self.data_dir / "state"


def host_command(
    name: str,
    interpreter: PureWindowsPath,
    data_dir: PureWindowsPath,
    child: Sequence[str] = (),
    limits: Limits | None = None,
) -> tuple[str, ...]:
    """The command of the service host, and of the daemon below it unless `child` names another command.

    `interpreter` is best the python.exe that has ndfd in its own site-packages. The one of a virtual environment only
    starts another: the SCM then logs event 7039 at each start, since not the process that it made connects to it.
    """
    limits = limits or Limits()
    python = (str(interpreter), "-X", "utf8", "-m")
    return (
        *python,
        "ndfd.platform.windows_service",
        *("--name", name),
        *("--log-dir", str(data_dir / "log")),
        *("--start-limit", f"{limits.start_s:g}"),
        *("--stop-limit", f"{limits.drain_s:g}"),
        "--",
        *(child or (*python, "ndfd", "run", "--service", "--owner-fd", "0")),
    )


def command_line(command: Sequence[str]) -> str:
    r"""Quoted by the rules of CommandLineToArgvW: C:\Program Files without quotes would run C:\Program.exe.

    `UsageError` for what a service cannot be started with.
    """
    text = subprocess.list2cmdline(command)
    if not command or not command[0]:
        raise UsageError("a service needs a program to run")
    if any(ord(character) < ord(" ") for character in text):
        raise UsageError(f"{text!r}: the command line of a service cannot hold control characters")
    if found := _VARIABLE.search(text):
        raise UsageError(
            f"{text}: Windows would put a variable's value in the place of {found[0]}",
            hint="use paths without percent signs",
        )
    if len(text) >= _COMMAND_LINE_MAX:
        raise UsageError(
            f"the command line of the service has {len(text)} characters, of at most {_COMMAND_LINE_MAX - 1}"
        )
    return text


def install_commands(definition: ServiceDefinition) -> tuple[tuple[str, ...], ...]:
    """What an administrator would run to install the service: each a program and its arguments.

    `folder_commands` belong to it, and come after the folders were made.
    """
    name = definition.name
    delays = "/".join(f"restart/{milliseconds(delay)}" for delay in definition.restart_delays_s)
    create = ("create", name, "type=", "own", "start=", "delayed-auto", "error=", "normal")
    named = ("obj=", definition.account, "DisplayName=", definition.display_name)
    service_key = rf"HKLM\SYSTEM\CurrentControlSet\Services\{name}"
    return (
        ("sc.exe", *create, *named, "binPath=", definition.command_line),
        ("sc.exe", "description", name, definition.description),
        ("sc.exe", "failure", name, "reset=", str(definition.failure_reset_s), "actions=", delays),
        ("sc.exe", "failureflag", name, "0"),
        ("sc.exe", "sidtype", name, "unrestricted"),
        ("sc.exe", "privs", name, "/".join(definition.privileges)),
        # sc.exe has no word for it.
        _set(service_key, "PreshutdownTimeout", "REG_DWORD", str(milliseconds(definition.preshutdown_s))),
        _set(event_source_key(name), "EventMessageFile", "REG_EXPAND_SZ", MESSAGE_FILE),
        _set(event_source_key(name), "TypesSupported", "REG_DWORD", str(TYPES_SUPPORTED)),
    )


def folder_commands(definition: ServiceDefinition) -> tuple[tuple[str, ...], ...]:
    """Who may do what in the folders of the service.

    Below %ProgramData% every user may make files unless the folder says otherwise: what it inherits is taken away, or
    anybody could write the service's configuration. The account can be named once the service is installed.
    """
    trusted = (f"{_LOCAL_SYSTEM}:(OI)(CI)F", f"{_ADMINISTRATORS}:(OI)(CI)F")
    data_dir, reads = str(definition.data_dir), f"{definition.account}:(OI)(CI)RX"
    return (
        ("icacls.exe", data_dir, "/inheritance:r", "/grant:r", *trusted, reads),
        *(("icacls.exe", str(folder), "/grant:r", f"{definition.account}:(OI)(CI)M") for folder in definition.writable),
    )


def remove_commands(name: str) -> tuple[tuple[str, ...], ...]:
    """What takes the service away again; its folders stay."""
    return (("sc.exe", "delete", name), ("reg.exe", "delete", event_source_key(name), "/f"))


def event_source_key(name: str) -> str:
    """The key of the registry that makes an event source."""
    return rf"HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\{name}"


def milliseconds(seconds: float) -> int:
    """As the calls of Windows take it."""
    return round(seconds * 1000)


def _set(key: str, value: str, kind: str, data: str) -> tuple[str, ...]:
    return ("reg.exe", "add", key, "/v", value, "/t", kind, "/d", data, "/f")


def batch_file(title: str, commands: Sequence[Sequence[str]]) -> str:
    """Commands as a script for cmd.exe that ends with the first one that fails; its lines end as those of Windows."""
    lines = [
        "@echo off",
        f"rem {title}",
        "rem Run it as administrator. Its exit status is that of the first command that failed; 0: none did.",
        # In a batch file a percent sign begins a variable, also within quotes.
        *(f"{subprocess.list2cmdline(command).replace('%', '%%')} || exit /b" for command in commands),
    ]
    return "".join(f"{line}\r\n" for line in lines)
