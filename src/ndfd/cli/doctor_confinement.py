"""What `ndfd doctor` says of the confinement of workers, measure by measure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby
from typing import NamedTuple

from ndfd.config.quantities import format_size
from ndfd.model.checkup import Check, Verdict
from ndfd.model.measures import MEASURES, not_allowed, ordered
from ndfd.model.sandbox import Sandbox

GROUP = "confinement"

_CONTAINER = "in a container, a seccomp profile that lets it through"


#: What the kernel grants to a process without rights only after it has set no_new_privs.
_ON_NO_NEW_PRIVS = frozenset({"landlock", "seccomp"})


class _Measure(NamedTuple):
    #: What holds while it is in force.
    gives: str
    #: What it takes to have it.
    needs: str


_MEASURES = {
    "no_new_privs": _Measure("no program could gain rights by being executed", f"Linux 3.5; {_CONTAINER}: prctl"),
    "dumpable": _Measure("nobody of its user can trace it or read its memory", f"{_CONTAINER}: prctl"),
    "rlimits": _Measure("", f"{_CONTAINER}: prlimit64"),
    "capabilities": _Measure(
        "it has none of root's rights", f"run the daemon as a user without them, or {_CONTAINER}: capset"
    ),
    "mdwe": _Measure("memory that was ever written is never executed", f"Linux 6.3; {_CONTAINER}: prctl"),
    "landlock": _Measure(
        "no path can be opened", f"Linux 5.13 with landlock in /sys/kernel/security/lsm; {_CONTAINER}: landlock_*"
    ),
    "landlock-tcp": _Measure("no TCP", "Linux 6.7"),
    "landlock-scopes": _Measure("no signal to others, no abstract socket of others", "Linux 6.12"),
    "seccomp": _Measure("", f"CONFIG_SECCOMP_FILTER, on x86-64 or aarch64; {_CONTAINER}: seccomp"),
    "proc": _Measure(
        "the kernel tells of each worker from outside",
        "/proc, mounted for this PID namespace",
    ),
}


def confinement(sandbox: Sandbox, allow: Collection[str]) -> Iterator[Check]:
    """A check for each measure; what is missing is a failure unless it is allowed."""
    refused = not_allowed(sandbox.missing, allow)
    for name in MEASURES:
        measure = _MEASURES[name]
        if name in sandbox.missing:
            text = f"{_how_missing(name, sandbox)}{_tried(name, sandbox)}"
            needs = f"it takes {measure.needs}"
            if name in _ON_NO_NEW_PRIVS and "no_new_privs" in sandbox.missing:
                needs = "it takes no_new_privs first"
            if name in refused:
                yield Check(GROUP, name, Verdict.FAILURE, text, needs)
            else:
                yield Check(GROUP, name, Verdict.WARNING, f"{text}; [sandbox] allow permits that", needs)
        elif name.startswith("landlock-") and "landlock" in sandbox.missing:
            # It is a part of what is missing.
            continue
        else:
            yield Check(GROUP, name, Verdict.OK, f"{_in_force(name, sandbox)}{_tried(name, sandbox)}")
    apart = ", ".join(sandbox.namespaces) or "none of its own"
    yield Check(GROUP, "namespaces", Verdict.OK, f"{apart}; an extra, and no measure")
    if refused:
        named = ordered((*sandbox.missing, *allow))
        literal = ", ".join(f'"{name}"' for name in named)
        advice = f"mend it, or do without: [sandbox] allow = [{literal}] (NDFD_SANDBOX__ALLOW={','.join(named)})"
        yield Check(GROUP, "in all", Verdict.FAILURE, "not enough: no daemon starts here", advice)


def _how_missing(name: str, sandbox: Sandbox) -> str:
    if name == "proc":
        return "cannot be checked: the kernel's word on a worker cannot be had here"
    if name == "capabilities" and not sandbox.capabilities:
        return "cannot be checked by a worker itself, which capget(2) is refused"
    if name == "capabilities":
        return f"not in force: it keeps rights of root's (mask {sandbox.capabilities:x})"
    if name == "seccomp" and sandbox.seccomp_filters:
        return f"not in force; {_filters(sandbox.seccomp_filters)} around the daemon {_is(sandbox.seccomp_filters)}"
    return "not in force"


def _in_force(name: str, sandbox: Sandbox) -> str:
    match name:
        case "seccomp":
            unsaid = ", as what it stops shows (the kernel could not be asked)" if sandbox.seccomp is None else ""
            return f"{sandbox.calls} system calls can be made{unsaid}"
        case "landlock":
            return f"version {sandbox.landlock_abi}: {_MEASURES[name].gives}"
        case "rlimits":
            memory = sandbox.rlimits.get("address_space_bytes", 0)
            processes = sandbox.rlimits.get("processes", 0)
            return f"{format_size(memory)} of address space, {processes} new processes, no core file"
        case _:
            return _MEASURES[name].gives


def _tried(name: str, sandbox: Sandbox) -> str:
    """What was tried against a measure and how it ended."""
    stopped = [each.split(": ", 1) for each in sandbox.denied if _against(each) == name]
    passed = [each.removesuffix("-by-landlock") for each in sandbox.passed if _against(each) == name]
    text = ""
    if stopped:
        by_how = sorted(((how, attempt.removesuffix("-by-landlock")) for attempt, how in stopped), reverse=True)
        parts = [
            f"{', '.join(sorted(attempt for _, attempt in members))} ({how})"
            for how, members in groupby(by_how, key=lambda each: each[0])
        ]
        text += f"; tried and stopped: {', '.join(parts)}"
    if passed:
        text += f"; tried and NOT stopped: {', '.join(passed)}"
    return text


def _against(tried: str) -> str:
    attempt = tried.partition(":")[0]
    if not attempt.endswith("-by-landlock"):
        return "seccomp"
    parts = {"connect-by-landlock": "landlock-tcp", "signal-by-landlock": "landlock-scopes"}
    return parts.get(attempt, "landlock")


def _filters(number: int) -> str:
    return "a filter" if number == 1 else f"{number} filters"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
