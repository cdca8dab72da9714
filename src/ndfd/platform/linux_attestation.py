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
from ndfd.model.sandbox import Sandbox
from ndfd.platform import linux_landlock, linux_sandbox, linux_syscalls
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
_CLONE_NEWUSER = 0x10000000
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
    denied, missing = [], list(sandbox.missing)
    for attempt, pid in children:
        how = _stopped_by(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        if how is None:
            missing.append(f"stops-{attempt.name}")
        else:
            denied.append(f"{attempt.name}: {how}")
    return msgspec.structs.replace(sandbox, denied=tuple(denied), missing=tuple(missing))


def _in_force(limits: WorkerLimits) -> Sandbox:
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours, theirs = (Channel(end, _REPORT_MAX_BYTES, 0) for end in pair)

    def report() -> None:
        # Or the child would hold the end whose closing tells it to go.
        ours.close()
        _report(theirs, limits)

    with contextlib.closing(ours):
        with contextlib.closing(theirs):
            pid = _fork(report)
        try:
            message = ours.receive()
            said_by_kernel = _status(pid)
        finally:
            ours.close()
            exit_code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if message is None:
        raise WorkerStartFailed(f"a process that confines itself as a worker does ended with status {exit_code}")
    sandbox = msgspec.msgpack.decode(message.data, type=Sandbox)
    missing = sandbox.missing
    if not said_by_kernel:
        missing = (*missing, "proc")
    return msgspec.structs.replace(
        sandbox,
        seccomp=int(said_by_kernel.get("Seccomp", "0")),
        seccomp_filters=int(said_by_kernel.get("Seccomp_filters", "0")),
        capabilities=int(said_by_kernel.get("CapEff", "0"), 16),
        missing=missing,
    )


def _report(channel: Channel, limits: WorkerLimits) -> None:
    channel.move_to(WORKER_CHANNEL_FD)
    missing = linux_sandbox.confine_but_for_calls(limits)
    machine = linux_syscalls.this_machine()
    inside = Sandbox(
        no_new_privs=linux_sandbox.prctl(linux_sandbox.PR_GET_NO_NEW_PRIVS) == 1,
        dumpable=linux_sandbox.prctl(linux_sandbox.PR_GET_DUMPABLE) != 0,
        landlock_abi=0 if machine is None or "landlock" in missing else linux_landlock.abi(machine),
        mdwe="mdwe" not in missing and linux_sandbox.prctl(linux_sandbox.PR_GET_MDWE) == 1,
        rlimits={name: resource.getrlimit(which)[0] for name, which in _RLIMITS.items()},
    )
    missing += linux_sandbox.filter_calls()
    channel.send(msgspec.msgpack.encode(msgspec.structs.replace(inside, missing=missing)))
    # Until the parent has looked.
    channel.receive()


def _status(pid: int) -> dict[str, str]:
    """Of /proc/PID/status, which everyone may read; empty where there is no /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


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
        linux_sandbox.prctl(linux_sandbox.PR_SET_NO_NEW_PRIVS, 1)
        linux_sandbox.close_paths()
    else:
        linux_sandbox.confine(limits)
    attempt.act()


def _stopped_by(exit_code: int) -> str | None:
    if exit_code == -signal.SIGSYS:
        return "killed"
    return errno.errorcode.get(exit_code) if exit_code > 0 else None


def _lacks_landlock_for(attempt: _Attempt, sandbox: Sandbox) -> bool:
    """It is missing already, and need not be tried to be known."""
    needed = {"connect": "landlock-tcp", "signal": "landlock-scopes"}.get(attempt.name.split("-by-")[0], "landlock")
    return not {"landlock", needed}.isdisjoint(sandbox.missing)


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
