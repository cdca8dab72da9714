"""Confinement of a process on Windows: a job object, a token without privileges at untrusted integrity, mitigations.

Not run on this platform: written from its documentation, and nothing here has been executed on it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from ndfd.platform.base import WorkerLimits
from ndfd.platform.windows_job import EXTENDED_LIMITS, LIMIT_KILL_ON_CLOSE, ExtendedLimits

# winnt.h: JOB_OBJECT_LIMIT_…
_LIMIT_ACTIVE_PROCESS, _LIMIT_PROCESS_MEMORY, _LIMIT_DIE_ON_FAULT = 0x00000008, 0x00000100, 0x00000400
# JOBOBJECT_BASIC_UI_RESTRICTIONS: handles, clipboards, settings, atoms, desktop, shutdown.
_UI_RESTRICTIONS, _UI_ALL = 4, 0x000000FF
# PROCESS_MITIGATION_POLICY and the first flag of each: no memory becomes code, no win32k, no child process.
_DYNAMIC_CODE, _SYSTEM_CALLS, _CHILD_PROCESS = 2, 4, 13
# Tokens.
_TOKEN_ADJUST = 0x0020 | 0x0008 | 0x0080
_TOKEN_INTEGRITY_LEVEL = 25
_SE_GROUP_INTEGRITY = 0x00000020
_UNTRUSTED = b"S-1-16-0"

#: What Windows has nothing of that a process could do to itself: each path closed (an AppContainer has to be there when
#: the process is made), TCP, others' objects as one measure, each call by its number, a word that others can read.
_NOT_THERE = ("no_new_privs", "dumpable", "landlock", "landlock-tcp", "landlock-scopes", "seccomp", "proc")


class _LabelledSid(ctypes.Structure):
    """TOKEN_MANDATORY_LABEL."""

    _fields_ = (("sid", ctypes.c_void_p), ("attributes", ctypes.c_uint32))


def confine(limits: WorkerLimits) -> tuple[str, ...]:
    """All that there is; the names of the measures that are missing (`ndfd.model.measures`)."""
    load: Any = vars(ctypes)["WinDLL"]
    kernel, advapi = load("kernel32", use_last_error=True), load("advapi32", use_last_error=True)
    return (
        *_NOT_THERE,
        *_try("rlimits", lambda: _enter_job(kernel, limits)),
        *_try("capabilities", lambda: _lower_token(kernel, advapi)),
        *_try("mdwe", lambda: _mitigate(kernel)),
    )


def _enter_job(kernel: Any, limits: WorkerLimits) -> None:
    """One process, so much memory, no way to another's windows; it ends with the last handle to the job."""
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    job = _true(kernel.CreateJobObjectW(None, None))
    extended = ExtendedLimits(process_memory=limits.memory_bytes)
    extended.basic.flags = _LIMIT_ACTIVE_PROCESS | _LIMIT_PROCESS_MEMORY | _LIMIT_DIE_ON_FAULT | LIMIT_KILL_ON_CLOSE
    extended.basic.active_processes = 1
    restrictions = ctypes.c_uint32(_UI_ALL)
    for kind, value in ((EXTENDED_LIMITS, extended), (_UI_RESTRICTIONS, restrictions)):
        size = ctypes.sizeof(value)
        _true(kernel.SetInformationJobObject(ctypes.c_void_p(job), kind, ctypes.byref(value), size))
    # The handle stays open for the life of the process.
    _true(kernel.AssignProcessToJobObject(ctypes.c_void_p(job), ctypes.c_void_p(kernel.GetCurrentProcess())))


def _lower_token(kernel: Any, advapi: Any) -> None:
    """No privilege, for good, and the lowest integrity: it writes to nothing that is not labelled so."""
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    token, sid = ctypes.c_void_p(), ctypes.c_void_p()
    _true(advapi.OpenProcessToken(ctypes.c_void_p(kernel.GetCurrentProcess()), _TOKEN_ADJUST, ctypes.byref(token)))
    _true(advapi.AdjustTokenPrivileges(token, True, None, 0, None, None))
    _true(advapi.ConvertStringSidToSidA(_UNTRUSTED, ctypes.byref(sid)))
    label = _LabelledSid(sid, _SE_GROUP_INTEGRITY)
    size = ctypes.sizeof(label) + advapi.GetLengthSid(sid)
    _true(advapi.SetTokenInformation(token, _TOKEN_INTEGRITY_LEVEL, ctypes.byref(label), size))


def _mitigate(kernel: Any) -> None:
    for policy in (_DYNAMIC_CODE, _SYSTEM_CALLS, _CHILD_PROCESS):
        flags = ctypes.c_uint32(1)
        _true(kernel.SetProcessMitigationPolicy(policy, ctypes.byref(flags), ctypes.sizeof(flags)))


def _true(result: Any) -> Any:
    """OSError for a call that says that it failed."""
    if not result:
        last_error: Any = vars(ctypes)["get_last_error"]
        raise OSError(f"Windows error {last_error()}")
    return result


def _try(name: str, measure: Callable[[], None]) -> tuple[str, ...]:
    try:
        measure()
    except OSError:
        return (name,)
    return ()
