"""Namespaces of a zygote: they cost about a millisecond once, and its workers nothing, for they are forked into them.

An extra: what they keep from a worker its confinement denies as well; where none may be made, nothing is missing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

# linux/sched.h. No PID namespace: its first process has to outlive all others. No mount namespace: no path is open.
_OTHERS = {"ipc": 0x08000000, "net": 0x40000000, "uts": 0x04000000}
_USER = 0x10000000

_libc = ctypes.CDLL(None, use_errno=True)


def separate() -> tuple[str, ...]:
    """Gives this process, and its later children, namespaces of their own; their names, or none where it may not.

    It must have one thread. With a network of its own it reaches no other, nor any abstract socket; with its own IPC no
    System V memory. Without the right to make those it makes a user namespace first, in which it has the right.
    """
    with contextlib.suppress(OSError):
        _unshare(0)
        return tuple(_OTHERS)
    # In a child first: a user namespace whose ids then could not be mapped cannot be undone.
    if _works_with_users():
        _separate_with_users()
        return (*_OTHERS, "user")
    return ()


def _works_with_users() -> bool:
    pid = os.fork()
    if pid == 0:
        status = 1
        with contextlib.suppress(OSError):
            _separate_with_users()
            status = 0
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _separate_with_users() -> None:
    uid, gid = os.geteuid(), os.getegid()
    _unshare(_USER)
    # user_namespaces(7): one line each, and the groups can be mapped only when none can be left.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _unshare(flags: int) -> None:
    if _libc.unshare(sum(_OTHERS.values()) | flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")
