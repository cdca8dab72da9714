"""Services installed, looked at, controlled and removed, by the calls of winsvc.h.

Run under Wine 10, by tests/platform/test_windows_service.py, which says what Wine takes and does not act upon. Not run
on Windows itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ndfd.errors import NdfdError, NotPermitted, ServiceError
from ndfd.platform import windows_structures as win
from ndfd.platform.windows_calls import advapi32, true
from ndfd.platform.windows_event_log import register_event_source, remove_event_source
from ndfd.platform.windows_service_course import Accept, Control, ServiceStatus, State
from ndfd.platform.windows_service_plan import ServiceDefinition, folder_commands, milliseconds

# winerror.h
_ACCESS_DENIED, _INVALID_LEVEL, _DOES_NOT_EXIST = 5, 124, 1060
_AS_ADMINISTRATOR = "do it from a prompt that was opened with “Run as administrator”"
#: By code: what is wrong with the service, and what to do.
_REFUSALS: Mapping[int, tuple[str, str]] = {
    1051: ("other services that run depend on it", "stop them first: `sc.exe enumdepend` lists them"),
    1052: ("it takes no such control", "see what it is: `sc.exe query`"),
    1053: ("it did not answer in time", "see the event log for the reason"),
    1056: ("it runs already", "there is nothing to do"),
    1057: ("there is no such account", "see the name of the account"),
    1058: ("it is disabled", "let it start: `sc.exe config NAME start= delayed-auto`"),
    1060: ("it is not installed", "install it: `ndfd service install`"),
    1061: ("it takes no control now: it starts or stops", "try again in a moment"),
    1062: ("it does not run", "start it: `ndfd service start`"),
    1069: ("its account cannot log on", "see the name of its account: `sc.exe qc`"),
    1072: (
        "it is marked for deletion, and goes when nobody has it open any more",
        "close services.msc, Task Manager and what else looks at services, or restart the machine",
    ),
    1073: ("there is one of that name already", "remove it first: `ndfd service uninstall`"),
    1078: ("another service has its display name", "give it another"),
}
#: The right that each control needs.
_RIGHTS: Mapping[Control, int] = {
    Control.STOP: win.SERVICE_STOP,
    Control.INTERROGATE: win.SERVICE_INTERROGATE,
    Control.PARAMCHANGE: win.SERVICE_PAUSE_CONTINUE,
}


@dataclass(frozen=True, slots=True)
class InstalledService:
    """A service as the SCM has it."""

    status: ServiceStatus
    #: None: it has no process.
    pid: int | None
    command_line: str
    account: str
    display_name: str
    #: Whether it starts with the machine.
    automatic: bool


def install_service(definition: ServiceDefinition) -> tuple[str, ...]:
    """Installs the service whole, or leaves nothing of it but its folders. It is not started.

    The names of settings that this Windows knows nothing of: the service runs without them.
    `ServiceError` if there is one of that name, or one that is on its way out; `NotPermitted` for who is no
    administrator.
    """
    access = win.SC_MANAGER_CONNECT | win.SC_MANAGER_CREATE_SERVICE
    with _refusals(f"the service {definition.name} cannot be installed"), _manager(access) as manager:
        service = _create(manager, definition)
        try:
            lacking = _configure(service, definition)
            register_event_source(definition.name)
            _make_folders(definition)
        except BaseException:
            advapi32().DeleteService(service)
            with contextlib.suppress(OSError):
                remove_event_source(definition.name)
            raise
        finally:
            advapi32().CloseServiceHandle(service)
        return lacking


def remove_service(name: str) -> None:
    """Removes the service and its event source; its folders stay. One that runs goes when it has stopped.

    `ServiceError` if there is none.
    """
    with _refusals(f"the service {name} cannot be removed"), _service(name, win.DELETE) as service:
        true(advapi32().DeleteService(service))
        remove_event_source(name)


def query_service(name: str) -> InstalledService | None:
    """The service; None if there is none."""
    with _refusals(f"the service {name} cannot be looked at"):
        try:
            with _service(name, win.SERVICE_QUERY_STATUS | win.SERVICE_QUERY_CONFIG) as service:
                return _read(service)
        except OSError as error:
            if getattr(error, "winerror", None) == _DOES_NOT_EXIST:
                return None
            raise


def start_service(name: str) -> None:
    """Has the SCM start the service; returns when its process has connected to the SCM.

    `ServiceError` if the service runs already or its program cannot be started.
    """
    with _refusals(f"the service {name} cannot be started"), _service(name, win.SERVICE_START) as service:
        true(advapi32().StartServiceW(service, 0, None))


def control_service(name: str, control: Control) -> ServiceStatus:
    """Sends a control, and gives the status that the service last reported. STOP does not wait for the end.

    `ServiceError` if the service does not take it now. The SCM alone sends SHUTDOWN and PRESHUTDOWN.
    """
    with _refusals(f"the service {name} cannot be sent {control.name}"), _service(name, _RIGHTS[control]) as service:
        record = win.StatusRecord()
        true(advapi32().ControlService(service, control, ctypes.byref(record)))
        return _status(record)


def refusal(winerror: int | None, said: str, doing: str) -> NdfdError:
    """The error of ours for one of the SCM's; `doing` says what cannot be done, `said` what Windows says."""
    if winerror == _ACCESS_DENIED:
        return NotPermitted(f"{doing}: access is denied", hint=_AS_ADMINISTRATOR)
    why, hint = _REFUSALS.get(winerror or 0, (said, "see the event log of the system"))
    return ServiceError(f"{doing}: {why}", hint=hint)


@contextlib.contextmanager
def _refusals(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise refusal(getattr(error, "winerror", None), str(error), doing) from error


@contextlib.contextmanager
def _manager(access: int) -> Iterator[int]:
    handle = true(advapi32().OpenSCManagerW(None, None, access))
    try:
        yield handle
    finally:
        advapi32().CloseServiceHandle(handle)


@contextlib.contextmanager
def _service(name: str, access: int) -> Iterator[int]:
    with _manager(win.SC_MANAGER_CONNECT) as manager:
        handle = true(advapi32().OpenServiceW(manager, name, access))
        try:
            yield handle
        finally:
            advapi32().CloseServiceHandle(handle)


def _create(manager: int, definition: ServiceDefinition) -> int:
    created: int = true(
        advapi32().CreateServiceW(
            manager,
            definition.name,
            definition.display_name,
            win.DELETE | win.SERVICE_CHANGE_CONFIG | win.SERVICE_START,
            win.SERVICE_WIN32_OWN_PROCESS,
            win.SERVICE_AUTO_START,
            win.SERVICE_ERROR_NORMAL,
            definition.command_line,
            None,
            None,
            None,
            definition.account,
            None,
        )
    )
    return created


def _configure(service: int, definition: ServiceDefinition) -> tuple[str, ...]:
    """The settings that are not known here; OSError for what is refused."""
    delays = definition.restart_delays_s
    restarts = [win.Action(win.SC_ACTION_RESTART, milliseconds(delay)) for delay in delays]
    actions = (win.Action * len(delays))(*restarts)
    description = ctypes.create_unicode_buffer(definition.description)
    # A list of texts, each with its NUL, and one more NUL: the buffer adds that.
    privileges = ctypes.create_unicode_buffer("".join(f"{name}\0" for name in definition.privileges))
    settings: tuple[tuple[str, int, ctypes.Structure], ...] = (
        ("description", win.CONFIG_DESCRIPTION, win.Text(ctypes.addressof(description))),
        ("delayed start", win.CONFIG_DELAYED_AUTO_START, win.Number(1)),
        (
            "recovery actions",
            win.CONFIG_FAILURE_ACTIONS,
            win.FailureActions(definition.failure_reset_s, None, None, len(delays), actions),
        ),
        # Off: a service that says STOPPED, with whatever code, is not restarted (see windows_service_course).
        ("recovery flag", win.CONFIG_FAILURE_ACTIONS_FLAG, win.Number(0)),
        ("SID type", win.CONFIG_SERVICE_SID, win.Number(win.SERVICE_SID_TYPE_UNRESTRICTED)),
        ("required privileges", win.CONFIG_REQUIRED_PRIVILEGES, win.Text(ctypes.addressof(privileges))),
        ("preshutdown timeout", win.CONFIG_PRESHUTDOWN, win.Number(milliseconds(definition.preshutdown_s))),
    )
    return tuple(name for name, kind, value in settings if not _change(service, kind, value))


def _change(service: int, kind: int, value: ctypes.Structure) -> bool:
    """Whether Windows knows this kind of setting."""
    try:
        true(advapi32().ChangeServiceConfig2W(service, kind, ctypes.byref(value)))
    except OSError as error:
        if getattr(error, "winerror", None) == _INVALID_LEVEL:
            return False
        raise
    return True


def _make_folders(definition: ServiceDefinition) -> None:
    for folder in definition.writable:
        Path(folder).mkdir(parents=True, exist_ok=True)
    for command in folder_commands(definition):
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if ended.returncode != 0:
            said = tuple((ended.stderr or ended.stdout).decode("utf-8", "replace").splitlines())
            shown = subprocess.list2cmdline(command)
            raise ServiceError(f"`{shown}` ended with status {ended.returncode}", details=said)


def _read(service: int) -> InstalledService:
    process, needed = win.ProcessStatusRecord(), ctypes.c_uint32()
    place, size, needs = ctypes.byref(process), ctypes.sizeof(process), ctypes.byref(needed)
    true(advapi32().QueryServiceStatusEx(service, win.SC_STATUS_PROCESS_INFO, place, size, needs))
    advapi32().QueryServiceConfigW(service, None, 0, needs)
    buffer = ctypes.create_string_buffer(needed.value)
    true(advapi32().QueryServiceConfigW(service, buffer, needed.value, needs))
    config = win.ConfigRecord.from_buffer(buffer)
    return InstalledService(
        _status(process),
        process.pid or None,
        config.command_line or "",
        config.account or "",
        config.display_name or "",
        config.start_type == win.SERVICE_AUTO_START,
    )


def _status(record: win.StatusRecord | win.ProcessStatusRecord) -> ServiceStatus:
    return ServiceStatus(
        State(record.state),
        Accept(record.accepted),
        record.win32_exit,
        record.specific_exit,
        record.checkpoint,
        record.wait_hint_ms,
    )
