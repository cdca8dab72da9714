"""Why a unit does not run, in words: systemd's result, the exit status with its meaning, what to do."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from ndfd.errors import (
    EX_CONFIG,
    EX_SOFTWARE,
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    ConfigError,
    NdfdError,
    ServiceFailed,
    WorkerStartFailed,
)
from ndfd.service.systemd_units import Unit

#: Exit statuses of the daemon and of systemd itself (systemd.exec(5), "Process Exit Codes"): meaning, what to do.
_STATUSES: dict[int, tuple[str, str]] = {
    EX_CONFIG: ("wrong configuration", "run `{check}`, mend what it names, then `{start}`"),
    EX_UNAVAILABLE: (
        "its sockets cannot be made, another daemon runs there, or this host cannot confine workers",
        "see the lines below and `ndfd doctor`, then `{start}`",
    ),
    EX_TEMPFAIL: ("no worker could be started", "see the lines below and `ndfd doctor`, then `{start}`"),
    EX_SOFTWARE: ("a fault in ndfd", "report it with the lines below"),
    200: ("its working folder is missing", "make the folder that WorkingDirectory= names"),
    203: ("its command cannot be executed", "run `ndfd service install` again, from where ndfd lies now"),
    209: ("its output cannot be opened", "see StandardOutput= and StandardError= of the unit"),
    216: ("its group does not exist", "run `ndfd service install` again: it makes user and group"),
    217: ("its user does not exist", "run `ndfd service install` again: it makes user and group"),
    226: (
        "its view of the file system cannot be made: often a folder that the unit names is missing",
        "make that folder",
    ),
    228: ("its system calls cannot be restricted", "see whether this kernel has seccomp"),
    233: ("its folder below /run cannot be made", "see who owns it, and what lies there"),
    238: ("its state folder cannot be used", "see who owns it: it has to be the service's user"),
    239: ("its cache folder cannot be used", "see who owns it: it has to be the service's user"),
    240: ("its log folder cannot be used", "see who owns it: it has to be the service's user"),
    241: ("its configuration folder cannot be used", "see who owns it: it has to be root"),
    243: ("its credentials cannot be read", "see LoadCredential= and SetCredential= of the unit"),
}

#: Result= of a unit that no process's end explains.
_RESULTS: dict[str, tuple[str, str]] = {
    "timeout": ("it did not become ready, or did not end, in time", "see the lines below"),
    "watchdog": ("it hung: it did not tell systemd in time that it makes progress", "report it with the lines below"),
    "oom-kill": (
        "the kernel ended a process of it, for memory was short",
        "see [runtime] max_memory, and MemoryMax= of the unit",
    ),
    "start-limit-hit": ("it ended too often in a short time", "mend what the lines below name, then `{start}`"),
    "protocol": ("it ended before it was ready", "see the lines below"),
    "resources": ("systemd lacks something to start it with", "see the lines below"),
    "exec-condition": ("a condition of the unit does not hold", "see ExecCondition= of the unit"),
}
#: Of sockets.
_RESULTS |= {
    "service-start-limit-hit": (
        "the service behind it ended too often",
        "mend what the lines below name, then `{start}`",
    ),
    "trigger-limit-hit": ("it was activated too often", "see the lines below, then `{start}`"),
}

_CLASSES: dict[int, type[NdfdError]] = {EX_CONFIG: ConfigError, EX_TEMPFAIL: WorkerStartFailed}

#: How the daemon's line of status begins then.
_REFUSED = "Reload refused: "

#: CLD_EXITED, CLD_KILLED and CLD_DUMPED of waitid(2).
_EXITED, _SIGNALLED = 1, frozenset({2, 3})


def why(unit: Unit) -> tuple[str, str] | None:
    """What ended it the last time, and what to do; None when it was nothing."""
    status, code, result = unit.number("ExecMainStatus"), unit.number("ExecMainCode"), unit["Result"]
    if result in {"", "success"}:
        return None
    if result in _RESULTS and not (
        result in {"start-limit-hit", "protocol"} and code == _EXITED and status in _STATUSES
    ):
        return _RESULTS[result]
    if code == _EXITED and status:
        meaning, hint = _STATUSES.get(status, ("", "see the lines below"))
        return f"exit status {status}{meaning and f': {meaning}'}", hint
    if code in _SIGNALLED and status:
        return f"ended by {_signal_name(status)}", "see the lines below"
    return f"result {result}", "see the lines below"


def refused_reload(unit: Unit, commands: Mapping[str, str]) -> NdfdError | None:
    """The error of a daemon that runs on with its old configuration; None when it took the new one.

    `commands` are those that are to be run then: "check" the configuration, and "start".
    """
    said = unit["StatusText"]
    if not said.startswith(_REFUSED):
        return None
    reason = said.removeprefix(_REFUSED).partition("; the old configuration")[0]
    hint = f"the old configuration serves on; {_STATUSES[EX_CONFIG][1].format_map(commands)}"
    return ConfigError(f"{unit.name} has refused to reload: {reason}", hint=hint)


def failure(unit: Unit, commands: Mapping[str, str], lines: tuple[str, ...]) -> NdfdError:
    """The error that says so, with these lines of the log; `commands` as of `refused_reload`."""
    found = why(unit)
    if found is None:
        return ServiceFailed(f"{unit.name} is {unit.state}", details=lines)
    meaning, hint = found
    status = unit.number("ExecMainStatus") if unit.number("ExecMainCode") == _EXITED else None
    kind = _CLASSES.get(status or 0, ServiceFailed)
    return kind(f"{unit.name} does not run: {meaning}", hint=hint.format_map(commands), details=lines)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
