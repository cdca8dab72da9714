"""Confinement of a worker: each measure once, in the order in which the later ones leave the earlier ones possible."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import struct
from collections.abc import Callable

from ndfd.platform import linux_landlock, linux_rules, linux_seccomp, linux_syscalls
from ndfd.platform.base import WorkerLimits

# include/uapi/linux/prctl.h
_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4
PR_SET_NO_NEW_PRIVS, _PR_GET_NO_NEW_PRIVS = 38, 39
# Linux 6.3. PR_MDWE_REFUSE_EXEC_GAIN: memory that is or was writable is never executable.
_PR_SET_MDWE, _PR_GET_MDWE = 65, 66
_PR_MDWE_REFUSE_EXEC_GAIN = 1

#: struct __user_cap_header_struct (version 3, this process) and two struct __user_cap_data_struct: none at all.
_CAPABILITIES_HEADER = struct.pack("Ii", 0x20080522, 0)
_NO_CAPABILITIES = bytes(24)

#: Bounded by `linux_rules.USABLE_FDS` more tightly. As high as workers may ever be many, and their results under way.
_DESCRIPTORS_MAX = 4096

_libc = ctypes.CDLL(None, use_errno=True)


def confine(limits: WorkerLimits) -> tuple[str, ...]:
    """All measures; the names of those that this host lacks."""
    return (*confine_but_for_calls(limits), *filter_calls())


def confine_but_for_calls(limits: WorkerLimits) -> tuple[str, ...]:
    """All measures but the filter of system calls; the names of those that this host lacks."""
    return (
        *_try("rlimits", lambda: _limit(limits)),
        *_try("no_new_privs", lambda: _set(PR_SET_NO_NEW_PRIVS, 1, _PR_GET_NO_NEW_PRIVS)),
        *_try("capabilities", _drop_capabilities),
        # Nobody of the same user may ptrace it or read its memory, so one worker cannot reach into the next. After the
        # capabilities: the kernel looks at this anew when they change.
        *_try("dumpable", lambda: _set(_PR_SET_DUMPABLE, 0, _PR_GET_DUMPABLE)),
        *_try("mdwe", lambda: _set(_PR_SET_MDWE, _PR_MDWE_REFUSE_EXEC_GAIN, _PR_GET_MDWE)),
        *close_paths(),
    )


def close_paths() -> tuple[str, ...]:
    """Landlock; the names of what this kernel's version of it lacks. no_new_privs comes first."""
    machine = linux_syscalls.this_machine()
    version = 0 if machine is None else linux_landlock.abi(machine)
    if machine is None or version == 0:
        return ("landlock",)
    too_old = (
        *(("landlock-tcp",) if version < linux_landlock.TCP_SINCE else ()),
        *(("landlock-scopes",) if version < linux_landlock.SCOPES_SINCE else ()),
    )
    return (*_try("landlock", lambda: _restrict(version, machine)), *too_old)


def filter_calls() -> tuple[str, ...]:
    """The filter of system calls; its name when this host lacks it."""
    machine = linux_syscalls.this_machine()
    if machine is None:
        return ("seccomp",)
    code = linux_seccomp.program(linux_rules.worker_rules(os.getpid()), machine)
    return _try("seccomp", lambda: linux_seccomp.install(code, machine))


def forget_environment() -> None:
    """Python's copy, the C library's list, and the strings themselves, which /proc/PID/environ shows."""
    # Not at the top: a system without it imports this module's neighbours in the tests.
    import posix

    # os.environ is a view of it.
    posix.environ.clear()
    strings = ctypes.POINTER(ctypes.c_void_p).in_dll(_libc, "environ")
    at = 0
    while string := strings[at]:
        ctypes.memset(string, 0, len(ctypes.string_at(string)))
        at += 1
    _libc.clearenv()


def prctl(option: int, *arguments: int) -> int:
    """prctl(2) with the arguments that are not given as 0; OSError."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    result = int(_libc.prctl(option, *map(ctypes.c_ulong, padded)))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")
    return result


def _set(option: int, value: int, asks: int) -> None:
    """Gives this process an attribute; OSError when it has another one then.

    What counts is what is so afterwards. A filter around a container may answer 0 and do nothing, or refuse what is in
    force already; a service manager may have set it in a stricter form, of which the value is one bit.
    """
    with contextlib.suppress(OSError):
        prctl(option, value)
    now = prctl(asks)
    if now != value and not now & value:
        raise OSError(errno.EPERM, f"prctl({option}): it is {now}, not {value}")


def _restrict(version: int, machine: linux_syscalls.Machine) -> None:
    """And looks whether it is so: see `_set`."""
    linux_landlock.restrict(version, machine)
    try:
        os.close(os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    except PermissionError:
        return
    raise OSError(errno.EPERM, "landlock_restrict_self: a folder can be opened after it")


def _try(name: str, measure: Callable[[], None]) -> tuple[str, ...]:
    try:
        measure()
    except OSError:
        return (name,)
    return ()


def _limit(limits: WorkerLimits) -> None:
    """RLIMIT_FSIZE bounds a memfd as it does a file; SIGXFSZ is ignored, so that the write fails with EFBIG."""
    for which, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, limits.memory_bytes),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS_MAX),
    ):
        hard = resource.getrlimit(which)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # A ValueError is how Python says EPERM and EINVAL here.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(which, (bound, bound))
        if resource.getrlimit(which)[1] != bound:
            raise OSError(errno.EPERM, f"setrlimit({which}): the limit is not {bound}")


def capabilities() -> int:
    """Effective ones of this process, as a bit mask; OSError when the kernel does not say."""
    # Two struct __user_cap_data_struct of three words each: effective, permitted, inheritable.
    words = (ctypes.c_uint32 * 6)()
    if _libc.capget(_CAPABILITIES_HEADER, words) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capget: {os.strerror(number)}")
    return int(words[0]) | int(words[3]) << 32


def _drop_capabilities() -> None:
    """For a daemon that root runs. With no_new_privs, and nothing to execute, they never come back.

    Refused to a process that has none is as good as done.
    """
    failed = _libc.capset(_CAPABILITIES_HEADER, _NO_CAPABILITIES) != 0
    number = ctypes.get_errno() if failed else errno.EPERM
    if capabilities() != 0:
        raise OSError(number, f"capset: {os.strerror(number)}")
