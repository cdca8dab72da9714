"""What confines a worker, measured in processes that confine themselves as a worker does.

A confined process can read nothing of /proc, so its parent reads there what the kernel says of it; the rest it says
itself. Each denied call is really tried, in a process of its own, since most of them end it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, NoReturn

import msgspec

from ndfd.errors import WorkerStartFailed
from ndfd.model.measures import ordered
from ndfd.model.sandbox import SECCOMP_FILTER, Sandbox, Seen
from ndfd.platform import linux_landlock, linux_rules, linux_sandbox, linux_syscalls
from ndfd.platform.base import WORKER_CHANNEL_FD, WorkerLimits
from ndfd.platform.channel import Channel

_RLIMITS = {
    "address_space_bytes": resource.RLIMIT_AS,
    "file_bytes": resource.RLIMIT_FSIZE,
    "core_bytes": resource.RLIMIT_CORE,
    "descriptors": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
}

_REPORT_MAX_BYTES = 4096
#: More than /proc/PID/status has, whose longest line lists groups, of which there are 65536 at most.
_STATUS_MAX_BYTES = 1 << 20
_CLONE_NEWUSER = 0x10000000
#: How confinement stops: filters kill or refuse, Landlock and limits refuse. EAFNOSUPPORT: there is no TCP to reach.
#: Any other error, such as that of a connection nobody answers, shows that the attempt was really made.
_STOPPED = frozenset({"killed", "EACCES", "EPERM", "ENOSYS", "EAGAIN", "EAFNOSUPPORT"})
#: What of Landlock an attempt is against, where it is not the first version.
_LANDLOCK_PARTS = {"connect": "landlock-tcp", "signal": "landlock-scopes"}
#: A port that is not listened at, on this machine.
_NOBODY = ("127.0.0.1", 9)

_libc = ctypes.CDLL(None, use_errno=True)


class _Attempt(NamedTuple):
    name: str
    act: Callable[[], object]
    #: By Landlock alone, which the filter of system calls would otherwise hide.
    landlock_alone: bool = False


def measure(limits: WorkerLimits) -> Sandbox:
    """Forks some short-lived children; `WorkerStartFailed` when a confined process cannot live at all."""
    sandbox = _in_force(limits)
    attempts = [each for each in _ATTEMPTS if not (each.landlock_alone and _lacks_landlock_for(each, sandbox))]
    # All at once: what takes time is that each copies the page tables of this process.
    children = [(attempt, _fork(partial(_try, attempt, limits))) for attempt in attempts]
    denied, passed, missing = [], [], set(sandbox.missing)
    for attempt, pid in children:
        how = _became(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        if how in _STOPPED:
            denied.append(f"{attempt.name}: {how}")
        else:
            passed.append(f"{attempt.name}: {how}" if how else attempt.name)
            # It may be in force by its word; it has no effect.
            missing.add(_measure_against(attempt))
    return msgspec.structs.replace(
        sandbox,
        calls=0 if "seccomp" in missing else sandbox.calls,
        landlock_abi=0 if "landlock" in missing else sandbox.landlock_abi,
        denied=tuple(denied),
        passed=tuple(passed),
        missing=ordered(missing),
    )


def process_status(pid: int) -> int | None:
    """A descriptor on /proc/PID/status; None where it does not tell of this process.

    Where nobody has mounted it; where it hides others' processes (hidepid=2), and a confined one is others' already;
    where it is that of another PID namespace, in which the number means another process. The kernel asks who may see it
    when it is opened, and not again when it is read.
    """
    try:
        if Path("/proc/self").readlink().name != str(os.getpid()):
            return None
        return os.open(f"/proc/{pid}/status", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def seen(status_fd: int) -> Seen | None:
    """What it says of confinement; None when the process has ended."""
    said = _status(status_fd)
    try:
        filters = said.get("Seccomp_filters")
        return Seen(
            no_new_privs=said["NoNewPrivs"] == "1",
            # Not there on a kernel without filters.
            seccomp=int(said.get("Seccomp", "0")),
            seccomp_filters=None if filters is None else int(filters),
            capabilities=int(said["CapEff"], 16),
        )
    except (KeyError, ValueError):
        return None


def resident_bytes(status_fd: int) -> int:
    """Resident set; 0 when the process has ended."""
    # "  4096 kB"
    return int(_status(status_fd).get("VmRSS", "0").split()[0]) * 1024


def _status(fd: int) -> dict[str, str]:
    try:
        lines = os.pread(fd, _STATUS_MAX_BYTES, 0).decode("ascii", "replace").splitlines()
    except ProcessLookupError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _in_force(limits: WorkerLimits) -> Sandbox:
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours, theirs = (Channel(end, _REPORT_MAX_BYTES, 0) for end in pair)

    def report() -> None:
        # Or the child would hold the end whose closing tells it to go.
        ours.close()
        # Until the parent has opened what tells of this process.
        theirs.receive()
        _report(theirs, limits)

    with contextlib.closing(ours):
        with contextlib.closing(theirs):
            pid = _fork(report)
        status_fd = process_status(pid)
        try:
            ours.send(b"go on")
            message = ours.receive()
            by_kernel = None if status_fd is None else seen(status_fd)
        finally:
            ours.close()
            exit_code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if status_fd is not None:
                os.close(status_fd)
    if message is None:
        raise WorkerStartFailed(f"a process that confines itself as a worker does ended with status {exit_code}")
    return _judged(msgspec.msgpack.decode(message.data, type=Sandbox), by_kernel)


def _judged(inside: Sandbox, by_kernel: Seen | None) -> Sandbox:
    """What a confined process says of itself, with the kernel's word, which counts for more."""
    if by_kernel is None:
        # Whether the filter is in force is not known by any word, but by what it stops.
        return msgspec.structs.replace(inside, missing=ordered((*inside.missing, "proc")))
    missing = {
        *inside.missing,
        *(() if by_kernel.no_new_privs else ("no_new_privs",)),
        *(() if by_kernel.seccomp == SECCOMP_FILTER else ("seccomp",)),
        *(("capabilities",) if by_kernel.capabilities else ()),
    }
    return msgspec.structs.replace(
        inside,
        no_new_privs=by_kernel.no_new_privs,
        seccomp=by_kernel.seccomp,
        seccomp_filters=by_kernel.seccomp_filters,
        capabilities=by_kernel.capabilities,
        missing=ordered(missing),
    )


def _report(channel: Channel, limits: WorkerLimits) -> None:
    channel.move_to(WORKER_CHANNEL_FD)
    missing = linux_sandbox.confine_but_for_calls(limits)
    machine = linux_syscalls.this_machine()
    inside = Sandbox(
        no_new_privs="no_new_privs" not in missing,
        dumpable="dumpable" in missing,
        landlock_abi=0 if machine is None or "landlock" in missing else linux_landlock.abi(machine),
        mdwe="mdwe" not in missing,
        capabilities=_capabilities(),
        rlimits={name: resource.getrlimit(which)[0] for name, which in _RLIMITS.items()},
    )
    unfiltered = linux_sandbox.filter_calls()
    calls = 0 if unfiltered or machine is None else len(linux_rules.allowed_calls() & machine.numbers.keys())
    said = msgspec.structs.replace(inside, calls=calls, missing=(*missing, *unfiltered))
    channel.send(msgspec.msgpack.encode(said))
    # Until the parent has looked.
    channel.receive()


def _capabilities() -> int:
    try:
        return linux_sandbox.capabilities()
    except OSError:
        # Nobody says: the kernel is asked from outside, and until then it is every one of 64.
        return 2**64 - 1


def _fork(act: Callable[[], object]) -> int:
    """A child that does this and ends: with the number of the error that stopped it, or 0."""
    pid = os.fork()
    if pid == 0:
        _end(act)
    return pid


def _end(act: Callable[[], object]) -> NoReturn:
    status = 0
    try:
        act()
    except OSError as error:
        status = error.errno or errno.EIO
    except BaseException:  # noqa: BLE001 - it must never return into the parent's code
        status = 0
    finally:
        os._exit(status)


def _try(attempt: _Attempt, limits: WorkerLimits) -> None:
    if attempt.landlock_alone:
        with contextlib.suppress(OSError):
            linux_sandbox.prctl(linux_sandbox.PR_SET_NO_NEW_PRIVS, 1)
        linux_sandbox.close_paths()
    else:
        linux_sandbox.confine(limits)
    attempt.act()


def _became(exit_code: int) -> str:
    """ "killed", the name of the error, or nothing when nothing stopped it."""
    if exit_code == -signal.SIGSYS:
        return "killed"
    if exit_code < 0:
        return f"signal {-exit_code}"
    return errno.errorcode.get(exit_code, str(exit_code)) if exit_code else ""


def _measure_against(attempt: _Attempt) -> str:
    if attempt.landlock_alone:
        return _LANDLOCK_PARTS.get(attempt.name.removesuffix("-by-landlock"), "landlock")
    return "seccomp"


def _lacks_landlock_for(attempt: _Attempt, sandbox: Sandbox) -> bool:
    """It is missing already, and need not be tried to be known."""
    return not {"landlock", _measure_against(attempt)}.isdisjoint(sandbox.missing)


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _make_executable() -> None:
    page = mmap.mmap(-1, mmap.PAGESIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    _checked(_libc.mprotect(ctypes.c_void_p(address), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC))


def _set_up_io_uring() -> None:
    machine = linux_syscalls.this_machine()
    if machine is not None:
        _checked(_libc.syscall(ctypes.c_long(machine.numbers["io_uring_setup"]), 1, ctypes.create_string_buffer(120)))


def _connect() -> None:
    with socket.socket() as connection:
        connection.connect(_NOBODY)


_ATTEMPTS = (
    _Attempt("open", lambda: os.open("/", os.O_RDONLY)),
    _Attempt("socket", socket.socket),
    _Attempt("execute", lambda: os.execv(sys.executable, [sys.executable, "--version"])),  # noqa: S606 - stopped
    _Attempt("fork", os.fork),
    _Attempt("executable-memory", lambda: mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC)),
    _Attempt("make-executable", _make_executable),
    _Attempt("signal", lambda: os.kill(os.getppid(), 0)),
    # PTRACE_TRACEME: the one request that harms nobody should it be let through.
    _Attempt("ptrace", lambda: _checked(_libc.ptrace(0, 0, None, None))),
    _Attempt("namespace", lambda: _checked(_libc.unshare(_CLONE_NEWUSER))),
    _Attempt("io-uring", _set_up_io_uring),
    _Attempt("open-by-landlock", lambda: os.open("/", os.O_RDONLY), landlock_alone=True),
    _Attempt("connect-by-landlock", _connect, landlock_alone=True),
    _Attempt("signal-by-landlock", lambda: os.kill(os.getppid(), 0), landlock_alone=True),
)
