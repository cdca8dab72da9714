"""The definition of the Windows service, its command line and the commands that install it."""

from __future__ import annotations

import ctypes
import dataclasses
from pathlib import Path, PureWindowsPath

import pytest

from ndfd.errors import NotPermitted, ServiceError, UsageError
from ndfd.platform import windows_structures as win
from ndfd.platform.windows_job import BasicLimits, ExtendedLimits
from ndfd.platform.windows_service import main, parse
from ndfd.platform.windows_service_course import Limits
from ndfd.platform.windows_service_install import refusal
from ndfd.platform.windows_service_plan import (
    ServiceDefinition,
    batch_file,
    command_line,
    folder_commands,
    host_command,
    install_commands,
    remove_commands,
)

PACKAGING = Path(__file__).parents[2] / "packaging" / "windows"
PYTHON = PureWindowsPath(r"C:\Program Files\ndfd\python.exe")
DATA = PureWindowsPath(r"C:\ProgramData\ndfd")


def definition(**changes: object) -> ServiceDefinition:
    made = ServiceDefinition("ndfd", host_command("ndfd", PYTHON, DATA), DATA)
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def read_back(text: str) -> list[str]:
    """The arguments that a program reads from its command line, by the rules of CommandLineToArgvW."""
    arguments, current, quoted, started, at = [], "", False, False, 0
    while at < len(text):
        slashes = len(text) - at - len(text[at:].lstrip("\\"))
        at += slashes
        if at < len(text) and text[at] == '"':
            current += "\\" * (slashes // 2)
            started = True
            if slashes % 2:
                current += '"'
            else:
                quoted = not quoted
            at += 1
            continue
        current += "\\" * slashes
        started = started or bool(slashes)
        if at == len(text):
            break
        if text[at] in " \t" and not quoted:
            if started:
                arguments.append(current)
            current, started = "", False
        else:
            current, started = current + text[at], True
        at += 1
    return [*arguments, current] if started else arguments


@pytest.mark.parametrize(
    "command",
    [
        (r"C:\Program Files\ndfd\ndfd.exe", "run"),
        (
            "a.exe",
            "",
            "two words",
            'a "quoted" word',
        ),
        ("a.exe", "ends with \\", "\\", '\\"', 'a\\\\"b c', "C:\\folder with space\\"),
        ("a.exe", "100%", "naïve Größe 文書", "$x & | > ^ '"),
    ],
)
def test_a_program_reads_the_arguments_that_were_meant(command: tuple[str, ...]) -> None:
    assert read_back(command_line(command)) == list(command)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ((), "a program"),
        (("",), "a program"),
        (("a.exe", "one\ntwo"), "control characters"),
        (("a.exe", "nul\0"), "control characters"),
        ((r"%TEMP%\a.exe",), "%TEMP%"),
        (("a.exe", "x" * 32767), "32773 characters"),
    ],
)
def test_what_a_service_cannot_be_started_with_is_refused(command: tuple[str, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        command_line(command)


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "-x", "a b", "x" * 81, 'a"'])
def test_a_name_that_windows_would_not_take_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no name for a service"):
        definition(name=name)


def test_a_definition_checks_its_command() -> None:
    with pytest.raises(UsageError, match="%PATH%"):
        definition(command=("%PATH%",))


def test_the_host_reads_what_the_definition_tells_it() -> None:
    options = parse(host_command("ndfd", PYTHON, DATA, limits=Limits(start_s=90, drain_s=45.5))[5:])
    assert (options.name, options.limits.start_s, options.limits.drain_s) == ("ndfd", 90, 45.5)
    assert str(options.log_dir) == r"C:\ProgramData\ndfd\log"
    assert options.command == (
        *(str(PYTHON), "-X", "utf8", "-m", "ndfd"),
        *("run", "--service", "--owner-fd", "0"),
    )
    assert parse(host_command("ndfd", PYTHON, DATA, child=("x.exe", "--name", "--"))[5:]).command == (
        "x.exe",
        "--name",
        "--",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--name", "x"),
        ("--name", "x", "--log-dir", "d", "--"),
        ("--name", "x", "--log-dir", "d", "--stop-limit", "-1", "c"),
    ],
)
def test_a_host_that_is_called_wrongly_says_so(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 64
    assert "usage: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("winerror", "status", "said"),
    [(1063, 64, "start it with `sc start ndfd`"), (None, 71, "the service control manager cannot be reached: broken")],
)
def test_a_host_that_the_scm_did_not_start_says_what_starts_it(
    winerror: int | None, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: object) -> None:
        error = OSError("broken")
        error.winerror = winerror  # type: ignore[attr-defined]
        raise error

    assert main(("--name", "ndfd", "--log-dir", "d", "--", "c"), refuse) == status
    assert said in capsys.readouterr().err


def test_the_commands_install_what_the_definition_says() -> None:
    create, *rest = install_commands(definition())
    assert create[:3] == ("sc.exe", "create", "ndfd")
    options = dict(zip(create[3::2], create[4::2], strict=True))
    assert options == {
        "type=": "own",
        "start=": "delayed-auto",
        "error=": "normal",
        "obj=": r"NT SERVICE\ndfd",
        "DisplayName=": "NeuralDocFlow daemon",
        "binPath=": definition().command_line,
    }
    assert options["binPath="].startswith(
        r'"C:\Program Files\ndfd\python.exe" -X utf8 -m ndfd.platform.windows_service '
    )
    assert (
        "sc.exe",
        "failure",
        "ndfd",
        "reset=",
        "86400",
        "actions=",
        "restart/1000/restart/5000/restart/30000",
    ) in rest
    assert ("sc.exe", "failureflag", "ndfd", "0") in rest
    assert rest[-3][-4:] == ("REG_DWORD", "/d", "75000", "/f")


def test_the_machine_waits_longer_at_its_shutdown_than_the_host_does_for_its_child() -> None:
    limits = Limits()
    assert definition().preshutdown_s > limits.drain_s + limits.fast_s + limits.kill_s


def test_only_administrators_write_where_the_configuration_lies() -> None:
    data, *writable = folder_commands(definition())
    assert data[:3] == ("icacls.exe", r"C:\ProgramData\ndfd", "/inheritance:r")
    assert data[-1] == r"NT SERVICE\ndfd:(OI)(CI)RX"
    assert [command[1] for command in writable] == [r"C:\ProgramData\ndfd\log", r"C:\ProgramData\ndfd\state"]
    assert {command[-1] for command in writable} == {r"NT SERVICE\ndfd:(OI)(CI)M"}


def test_what_was_added_to_the_registry_is_removed() -> None:
    added = {command[2] for command in install_commands(definition()) if command[:2] == ("reg.exe", "add")}
    deleted = {command[2] for command in remove_commands("ndfd") if command[:2] == ("reg.exe", "delete")}
    # What lies below the service's own key goes with the service.
    assert added - deleted == {r"HKLM\SYSTEM\CurrentControlSet\Services\ndfd"}
    assert remove_commands("ndfd")[0] == ("sc.exe", "delete", "ndfd")


@pytest.mark.parametrize(
    ("winerror", "kind", "said"),
    [
        (5, NotPermitted, "Run as administrator"),
        (1060, ServiceError, "not installed"),
        (1072, ServiceError, "marked for deletion"),
        (1073, ServiceError, "there is one of that name already"),
        (31, ServiceError, "a device attached to the system"),
        (None, ServiceError, "a device attached to the system"),
    ],
)
def test_each_refusal_of_the_scm_says_what_to_do(winerror: int | None, kind: type[Exception], said: str) -> None:
    error = refusal(winerror, "a device attached to the system is not functioning", "x cannot be installed")
    assert type(error) is kind
    assert str(error).startswith("x cannot be installed: ")
    assert said in f"{error}; {error.hint}"


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_void_p) != 8, reason="the sizes are those of 64-bit Windows")
@pytest.mark.parametrize(
    ("structure", "size"),
    [
        (win.ServiceTableEntry, 16),
        (win.StatusRecord, 28),
        (win.ProcessStatusRecord, 36),
        (win.ConfigRecord, 64),
        (win.Action, 8),
        (win.FailureActions, 40),
        (win.Number, 4),
        (win.Text, 8),
        (BasicLimits, 64),
        (ExtendedLimits, 144),
    ],
)
def test_structures_are_as_large_as_those_of_the_headers(structure: type[ctypes.Structure], size: int) -> None:
    assert ctypes.sizeof(structure) == size


def test_the_packaged_scripts_are_what_the_definition_says() -> None:
    made = definition()
    folders = [("cmd.exe", "/c", "if", "not", "exist", str(folder), "mkdir", str(folder)) for folder in made.writable]
    install = batch_file(
        r"Installs the service ndfd; Python and ndfd lie in C:\Program Files\ndfd, data in C:\ProgramData\ndfd.",
        (*folders, *install_commands(made), *folder_commands(made)),
    )
    title = "Removes the service ndfd, once it is stopped: net stop ndfd. Its data stays."
    remove = batch_file(title, remove_commands("ndfd"))
    written = {path.name: path.read_bytes() for path in PACKAGING.glob("*.cmd")}
    assert written == {"install-service.cmd": install.encode("ascii"), "remove-service.cmd": remove.encode("ascii")}


def test_a_script_keeps_percent_signs() -> None:
    script = batch_file("A title", (("reg.exe", "/d", r"%SystemRoot%\x"),))
    assert script.endswith("reg.exe /d %%SystemRoot%%\\x || exit /b\r\n")
