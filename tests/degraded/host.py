"""Runs a program on a host that lacks something: `python -m tests.degraded.host LACK,LACK -- PROGRAM ARGUMENTS…`.

Nothing is pretended: each lack is made by the kernel, by a filter of system calls that all below it inherit, by mounts
of its own or by another user, before the program is executed. Some need root.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ndfd.platform.linux_syscalls import this_machine

_libc = ctypes.CDLL(None, use_errno=True)

NOBODY = 65534

# sched.h, sys/mount.h
_CLONE_NEWNS, _CLONE_NEWPID, _CLONE_NEWUSER = 0x00020000, 0x20000000, 0x10000000
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18

# include/uapi/linux/prctl.h
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_PR_SET_DUMPABLE, _PR_SET_MDWE, _PR_GET_MDWE = 4, 65, 66


class Denied(NamedTuple):
    """A call that fails with this error, or with 0 does nothing and says that it did."""

    call: str
    error: int
    #: Only when this argument, counted from 0, has this value, or any of these bits.
    argument: int | None = None
    value: int = 0
    bits: bool = False


def _denied(error: int, *calls: str) -> tuple[Denied, ...]:
    return tuple(Denied(call, error) for call in calls)


_SECCOMP = (Denied("seccomp", errno.ENOSYS), Denied("prctl", errno.EINVAL, 0, _PR_SET_SECCOMP))
#: What a container's default profile denies, as far as a program like ours could come near it.
_CONTAINER = (
    *_denied(errno.EPERM, "keyctl", "add_key", "request_key", "bpf", "perf_event_open", "userfaultfd", "mount"),
    *_denied(errno.EPERM, "umount2", "setns", "pivot_root", "init_module", "kexec_load", "unshare", "io_uring_setup"),
    Denied("personality", errno.EPERM),
    Denied("clone", errno.EPERM, 0, 0x7E020000, bits=True),
    # So that the C library falls back to clone, whose flags a filter can see.
    Denied("clone3", errno.ENOSYS),
)

CALLS: dict[str, tuple[Denied, ...]] = {
    "landlock": _denied(errno.ENOSYS, "landlock_create_ruleset"),
    "landlock-switched-off": _denied(errno.EOPNOTSUPP, "landlock_create_ruleset"),
    "landlock-forged": _denied(0, "landlock_restrict_self"),
    "seccomp": _SECCOMP,
    "seccomp-refused": _denied(errno.EINVAL, "seccomp"),
    "seccomp-forged": _denied(0, "seccomp"),
    "mdwe": (Denied("prctl", errno.EINVAL, 0, _PR_SET_MDWE), Denied("prctl", errno.EINVAL, 0, _PR_GET_MDWE)),
    "mdwe-forged": (Denied("prctl", 0, 0, _PR_SET_MDWE),),
    "no_new_privs": (Denied("prctl", errno.EINVAL, 0, _PR_SET_NO_NEW_PRIVS),),
    "dumpable": (Denied("prctl", errno.EPERM, 0, _PR_SET_DUMPABLE),),
    "capset": _denied(errno.EPERM, "capset"),
    "capset-forged": _denied(0, "capset"),
    # Setting a limit asks for no old one.
    "rlimits": (Denied("prlimit64", errno.EPERM, 3, 0),),
    "user-namespaces": (
        Denied("unshare", errno.EPERM, 0, _CLONE_NEWUSER, bits=True),
        Denied("clone", errno.EPERM, 0, _CLONE_NEWUSER, bits=True),
        Denied("clone3", errno.ENOSYS),
    ),
    "pidfd": _denied(errno.ENOSYS, "pidfd_open"),
    "pidfd-signal": _denied(errno.EPERM, "pidfd_send_signal"),
    "memfd": _denied(errno.EACCES, "memfd_create"),
    "adjtimex": _denied(errno.EPERM, "adjtimex"),
    "capget": _denied(errno.EPERM, "capget"),
    "prctl": _denied(errno.EPERM, "prctl"),
    "container": _CONTAINER,
    "old-container": (*_CONTAINER, *_denied(errno.EPERM, "landlock_create_ruleset", "landlock_restrict_self")),
}


def deny(calls: Sequence[Denied], *, no_new_privs: bool) -> None:
    """Puts a filter in force here and in all that comes of it; without no_new_privs only root may."""
    # LD nr, and of each argument its lower half: struct seccomp_data is nr, arch, instruction pointer, six arguments.
    code = b""
    for denied in calls:
        tests = [(struct.pack("HBBI", 0x20, 0, 0, 0), 0x15, _number(denied.call))]
        if denied.argument is not None:
            load = struct.pack("HBBI", 0x20, 0, 0, 16 + 8 * denied.argument)
            tests.append((load, 0x45 if denied.bits else 0x15, denied.value))
        for left, (load, jump, constant) in zip(range(len(tests) - 1, -1, -1), tests, strict=True):
            code += load + struct.pack("HBBI", jump, 0, 2 * left + 1, constant)
        code += struct.pack("HBBI", 0x06, 0, 0, 0x00050000 | denied.error)
    code += struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)
    program = ctypes.create_string_buffer(code)
    header = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(program))
    if no_new_privs:
        _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(_libc.prctl(_PR_SET_SECCOMP, 2, ctypes.c_char_p(header), 0, 0))


def _number(call: str) -> int:
    machine = this_machine()
    assert machine is not None
    return machine.numbers[call]


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _mount(source: str, target: str, kind: str | None, flags: int = 0, data: str = "") -> None:
    kind_bytes = None if kind is None else kind.encode()
    _checked(_libc.mount(source.encode(), target.encode(), kind_bytes, ctypes.c_ulong(flags), data.encode()))


def _own_mounts() -> None:
    _checked(_libc.unshare(_CLONE_NEWNS))
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)


def _own_processes() -> None:
    """What follows is process 1 of a PID namespace, and dies with this one."""
    _checked(_libc.unshare(_CLONE_NEWPID))
    child = os.fork()
    if child:
        signal.signal(signal.SIGTERM, lambda number, frame: os.kill(child, number))
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def no_proc() -> None:
    """/proc is an empty folder."""
    _own_mounts()
    _mount("none", "/proc", "tmpfs")


def proc_read_only() -> None:
    """/proc and all in it can only be read."""
    _own_mounts()
    _mount("none", "/proc", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY)


def proc_hides() -> None:
    """/proc shows each user only the processes that are his to trace."""
    _own_mounts()
    _mount("proc", "/proc", "proc", 0, "hidepid=2")


def foreign_proc() -> None:
    """/proc is that of another PID namespace: its numbers are others' processes."""
    _own_processes()


def memfd_never_executable() -> None:
    """Memory files that may be executed are refused, in a PID namespace of its own (sysctl vm.memfd_noexec)."""
    _own_mounts()
    _own_processes()
    _mount("proc", "/proc", "proc")
    Path("/proc/sys/vm/memfd_noexec").write_text("2")


def nobody() -> None:
    """A user without rights, whose home does not exist."""
    _let_others_read(Path(sys.base_prefix))
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    os.environ.update(HOME="/nonexistent", USER="nobody")


def _let_others_read(folder: Path) -> None:
    """Puts a folder that lets others through in the place of one on the way that does not; for this process only."""
    closed = next((each for each in reversed(folder.parents) if not each.stat().st_mode & 0o001), None)
    if closed is None:
        return
    _own_mounts()
    open_one = Path(tempfile.mkdtemp(prefix="ndfd-degraded-"))
    _mount("none", str(open_one), "tmpfs", 0, "mode=0755")
    place = open_one / folder.relative_to(closed)
    place.mkdir(parents=True)
    _mount(str(folder), str(place), None, _MS_BIND | _MS_REC)
    _mount(str(open_one), str(closed), None, _MS_BIND | _MS_REC)


PLACES: dict[str, Callable[[], None]] = {
    "no-proc": no_proc,
    "proc-read-only": proc_read_only,
    "proc-hides": proc_hides,
    "foreign-proc": foreign_proc,
    "memfd-never-executable": memfd_never_executable,
    "nobody": nobody,
}


def main(arguments: Sequence[str]) -> None:
    """Becomes the program."""
    lacks, dashes, *command = arguments
    assert dashes == "--"
    names = lacks.split(",")
    for name in names:
        if name in PLACES:
            PLACES[name]()
    calls = [denied for name in names for denied in CALLS.get(name, ())]
    if calls:
        deny(calls, no_new_privs={"no_new_privs", "prctl"}.isdisjoint(names))
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
