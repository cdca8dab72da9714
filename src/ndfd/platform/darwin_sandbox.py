"""Confinement of a process on macOS: a sandbox profile that allows nothing, limits, no debugger.

Not run on this platform: written from its manual pages, and nothing here has been executed on it.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Callable

from ndfd.platform.base import WorkerLimits

#: Everything is denied: files, network, other processes, Mach services. What is open stays usable.
_PROFILE = b"(version 1)\n(deny default)\n"
# sys/ptrace.h
_PT_DENY_ATTACH = 31

#: What macOS has nothing of: each call denied by its number, execution of written memory in a process that is not
#: signed for it, rights that come in parts, and a word of the kernel that another process can read.
_NOT_THERE = ("no_new_privs", "capabilities", "mdwe", "seccomp", "proc")


def confine(limits: WorkerLimits) -> tuple[str, ...]:
    """All that there is; the names of the measures that are missing (`ndfd.model.measures`)."""
    system = ctypes.CDLL("/usr/lib/libSystem.B.dylib", use_errno=True)
    return (
        *_NOT_THERE,
        *_try("rlimits", lambda: _limit(limits)),
        *_try("dumpable", lambda: _checked(system.ptrace(_PT_DENY_ATTACH, 0, None, 0))),
        # Last: afterwards nothing can be looked up. It takes the place of Landlock and of its parts.
        *_try("landlock", lambda: _deny_everything(system)),
    )


def _deny_everything(system: ctypes.CDLL) -> None:
    """sandbox_init(3): marked as deprecated for years, and what every browser there still uses."""
    error = ctypes.c_char_p()
    if system.sandbox_init(_PROFILE, ctypes.c_uint64(0), ctypes.byref(error)) != 0:
        raise OSError((error.value or b"sandbox_init failed").decode(errors="replace"))


def _limit(limits: WorkerLimits) -> None:
    """RLIMIT_AS is not kept by macOS; RLIMIT_DATA is, for what malloc takes."""
    for which, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, limits.memory_bytes),
        (resource.RLIMIT_DATA, limits.memory_bytes),
        (resource.RLIMIT_AS, limits.memory_bytes),
    ):
        hard = resource.getrlimit(which)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (bound, bound))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _try(name: str, measure: Callable[[], None]) -> tuple[str, ...]:
    try:
        measure()
    except (OSError, ValueError):
        return (name,)
    return ()
