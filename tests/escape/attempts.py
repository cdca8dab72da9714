"""What a hostile document tries once it runs code of its own in a worker, and how each attempt must end.

Most are system calls made bare, as such code would make them, with arguments that would do harm if the call were let
through. An attempt that is let through and does not raise has escaped.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import importlib
import mmap
import os
import resource
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ndfd import platform
from ndfd.platform.linux_syscalls import this_machine

#: The kernel ended the worker with SIGSYS.
KILLED = "killed by SIGSYS"
MEMORY = "MemoryError"

_libc = ctypes.CDLL(None, use_errno=True)
_MACHINE = this_machine()
_NUMBERS = {} if _MACHINE is None else _MACHINE.numbers
_PAGE = mmap.PAGESIZE
_BUFFER = ctypes.create_string_buffer(4096)
_ROOT = ctypes.c_char_p(b"/")
_VICTIM = ctypes.c_char_p(b"/tmp/ndfd-escaped")
_OTHER = ctypes.c_char_p(b"/tmp/ndfd-escaped-too")
_AT_FDCWD = -100


class Attempt(NamedTuple):
    """One try; its function is called with the process id of the supervisor."""

    act: Callable[[int], object]
    #: `KILLED`, `MEMORY`, or the name of the error that it fails with.
    ends: str


def call(name: str, *arguments: object, base: int = 0) -> int:
    """A bare system call; OSError when it fails, NotImplementedError when this machine does not have it."""
    if name not in _NUMBERS:
        raise NotImplementedError(name)
    result = int(_libc.syscall(ctypes.c_long(base + _NUMBERS[name]), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def bare(name: str, *arguments: object) -> Callable[[int], object]:
    return lambda _supervisor: call(name, *arguments)


def at_supervisor(name: str, *arguments: object) -> Callable[[int], object]:
    return lambda supervisor: call(name, supervisor, *arguments)


def _eat(_supervisor: int) -> None:
    kept = []
    while True:
        kept.append(bytearray(50_000_000))


def _map_forever(_supervisor: int) -> None:
    kept = []
    while True:
        kept.append(mmap.mmap(-1, 50_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def _fill_memfd(_supervisor: int) -> None:
    """The limit is a gigabyte; only its last byte is written, so that a machine that lets it pass survives."""
    fd = platform.memfd("bomb")
    limit = 1_000_000_000
    os.write(fd, bytes(100))
    call("fallocate", fd, 0, 0, limit + 1)


def _many_memfds(_supervisor: int) -> None:
    """Each may be as large as the memory limit: their number is what must be bounded."""
    while True:
        os.write(platform.memfd("bomb"), b"x")


def _sealed() -> int:
    return platform.sealed_memfd("result", b"sealed")


def _write_sealed(_supervisor: int) -> None:
    os.write(_sealed(), b"more")


def _grow_sealed(_supervisor: int) -> None:
    call("ftruncate", _sealed(), 1_000_000)


def _unseal(_supervisor: int) -> None:
    fcntl.fcntl(_sealed(), fcntl.F_ADD_SEALS, 0)


def _map_sealed(_supervisor: int) -> None:
    mmap.mmap(_sealed(), 6, access=mmap.ACCESS_WRITE)


def _execute_memfd(_supervisor: int) -> None:
    fd = platform.memfd("program")
    os.write(fd, b"#!/bin/sh\n")
    call("execveat", fd, ctypes.c_char_p(b""), None, None, 0x1000)


def _map_memfd_executable(_supervisor: int) -> None:
    fd = platform.memfd("code")
    os.write(fd, bytes(_PAGE))
    mmap.mmap(fd, _PAGE, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC)


def _protect(protection: int) -> Callable[[int], object]:
    def act(_supervisor: int) -> None:
        page = mmap.mmap(-1, _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        call("mprotect", ctypes.c_void_p(address), _PAGE, protection)

    return act


def _start_thread(_supervisor: int) -> None:
    threading.Thread(target=lambda: None).start()


def _import_late(_supervisor: int) -> None:
    importlib.import_module("wave")


def _steal_descriptor(supervisor: int) -> None:
    os.open(f"/proc/{supervisor}/fd/0", os.O_RDONLY)


def _duplicate_onto_channel(_supervisor: int) -> None:
    call("dup3", 0, platform.WORKER_CHANNEL_FD, 0)


def _x32(_supervisor: int) -> None:
    call("getpid", base=0x40000000)


ATTEMPTS: dict[str, Attempt] = {
    # The file system, by path
    "open a file": Attempt(lambda _: os.open("/etc/passwd", os.O_RDONLY), "EACCES"),
    "open a folder": Attempt(lambda _: os.open("/", os.O_RDONLY), "EACCES"),
    "open for writing": Attempt(lambda _: os.open("/tmp/ndfd-escaped", os.O_RDWR | os.O_CREAT), "EACCES"),
    "open /proc/self/mem": Attempt(lambda _: os.open("/proc/self/mem", os.O_RDWR), "EACCES"),
    "open the supervisor's environment": Attempt(lambda pid: os.open(f"/proc/{pid}/environ", os.O_RDONLY), "EACCES"),
    "steal a descriptor through /proc": Attempt(_steal_descriptor, "EACCES"),
    "open by openat2": Attempt(bare("openat2", _AT_FDCWD, _ROOT, _BUFFER, 24), KILLED),
    "creat": Attempt(bare("creat", _VICTIM, 0o600), KILLED),
    "unlink": Attempt(bare("unlinkat", _AT_FDCWD, _VICTIM, 0), KILLED),
    "rename": Attempt(bare("renameat2", _AT_FDCWD, _VICTIM, _AT_FDCWD, _OTHER, 0), KILLED),
    "link": Attempt(bare("linkat", _AT_FDCWD, _VICTIM, _AT_FDCWD, _OTHER, 0), KILLED),
    "symlink": Attempt(bare("symlinkat", _ROOT, _AT_FDCWD, _OTHER), KILLED),
    "truncate": Attempt(bare("truncate", _VICTIM, 0), KILLED),
    "chmod": Attempt(bare("fchmodat", _AT_FDCWD, _VICTIM, 0o777), KILLED),
    "chown": Attempt(bare("fchownat", _AT_FDCWD, _VICTIM, 0, 0, 0), KILLED),
    "mkdir": Attempt(bare("mkdirat", _AT_FDCWD, _VICTIM, 0o777), KILLED),
    "mknod": Attempt(bare("mknodat", _AT_FDCWD, _VICTIM, 0o600, 0), KILLED),
    "utimensat": Attempt(bare("utimensat", _AT_FDCWD, _VICTIM, None, 0), KILLED),
    "setxattr": Attempt(bare("setxattr", _VICTIM, _VICTIM, _BUFFER, 1, 0), KILLED),
    "look at a file": Attempt(lambda _: Path("/etc/passwd").stat(), "EACCES"),
    "read a link": Attempt(lambda _: Path("/proc/self/exe").readlink(), "EACCES"),
    "list a folder": Attempt(lambda _: list(os.scandir("/")), "EACCES"),
    "import a module": Attempt(_import_late, "ModuleNotFoundError"),
    "mount": Attempt(bare("mount", _ROOT, _ROOT, None, 4096, None), KILLED),
    "umount": Attempt(bare("umount2", _ROOT, 2), KILLED),
    "chroot": Attempt(bare("chroot", _ROOT), KILLED),
    "pivot_root": Attempt(bare("pivot_root", _ROOT, _ROOT), KILLED),
    "fsopen": Attempt(bare("fsopen", ctypes.c_char_p(b"tmpfs"), 0), KILLED),
    "open_tree": Attempt(bare("open_tree", _AT_FDCWD, _ROOT, 1), KILLED),
    "name_to_handle_at": Attempt(bare("name_to_handle_at", _AT_FDCWD, _ROOT, _BUFFER, _BUFFER, 0), KILLED),
    "open_by_handle_at": Attempt(bare("open_by_handle_at", _AT_FDCWD, _BUFFER, 0), KILLED),
    "quotactl": Attempt(bare("quotactl", 0, None, 0, None), KILLED),
    "inotify": Attempt(bare("inotify_init1", 0), KILLED),
    "fanotify": Attempt(bare("fanotify_init", 0, 0), KILLED),
    # Programs, processes, threads
    "execve": Attempt(bare("execve", ctypes.c_char_p(b"/bin/sh"), None, None), KILLED),
    "execute a memfd": Attempt(_execute_memfd, KILLED),
    "fork": Attempt(lambda _: os.fork(), KILLED),
    "vfork": Attempt(bare("vfork"), KILLED),
    "clone": Attempt(bare("clone", 17, None, None, None, None), KILLED),
    "clone3": Attempt(bare("clone3", _BUFFER, 88), KILLED),
    "start a thread": Attempt(_start_thread, KILLED),
    "unshare": Attempt(bare("unshare", 0x10000000), KILLED),
    "setns": Attempt(bare("setns", 0, 0), KILLED),
    "setsid": Attempt(bare("setsid"), KILLED),
    "personality": Attempt(bare("personality", 0x0400000), KILLED),
    # Other processes
    "ptrace": Attempt(lambda pid: call("ptrace", 0x4206, pid, None, None), KILLED),
    "process_vm_readv": Attempt(at_supervisor("process_vm_readv", _BUFFER, 1, _BUFFER, 1, 0), KILLED),
    "process_vm_writev": Attempt(at_supervisor("process_vm_writev", _BUFFER, 1, _BUFFER, 1, 0), KILLED),
    "process_madvise": Attempt(bare("process_madvise", 0, _BUFFER, 1, 4, 0), KILLED),
    "kcmp": Attempt(lambda pid: call("kcmp", pid, pid, 0, 0, 0), KILLED),
    "kill": Attempt(at_supervisor("kill", 9), KILLED),
    "kill everything": Attempt(bare("kill", -1, 0), KILLED),
    "tgkill": Attempt(lambda pid: call("tgkill", pid, pid, 9), KILLED),
    "pidfd_open": Attempt(at_supervisor("pidfd_open", 0), KILLED),
    "pidfd_send_signal": Attempt(bare("pidfd_send_signal", 0, 9, None, 0), KILLED),
    "pidfd_getfd": Attempt(bare("pidfd_getfd", 0, 0, 0), KILLED),
    "setpriority": Attempt(lambda pid: call("setpriority", 0, pid, -20), KILLED),
    # The network and other programs' sockets
    "socket of IPv4": Attempt(lambda _: socket.socket(socket.AF_INET), KILLED),
    "socket of IPv6": Attempt(lambda _: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), KILLED),
    "local socket": Attempt(lambda _: socket.socket(socket.AF_UNIX), KILLED),
    "netlink socket": Attempt(lambda _: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW), KILLED),
    "vsock": Attempt(lambda _: socket.socket(socket.AF_VSOCK), KILLED),
    "raw packets": Attempt(lambda _: socket.socket(socket.AF_PACKET, socket.SOCK_RAW), KILLED),
    "socketpair": Attempt(lambda _: socket.socketpair(), KILLED),
    "connect": Attempt(bare("connect", platform.WORKER_CHANNEL_FD, _BUFFER, 16), KILLED),
    "bind": Attempt(bare("bind", platform.WORKER_CHANNEL_FD, _BUFFER, 16), KILLED),
    "sendto": Attempt(bare("sendto", platform.WORKER_CHANNEL_FD, _BUFFER, 1, 0, _BUFFER, 16), KILLED),
    "sendmsg elsewhere": Attempt(bare("sendmsg", 2, _BUFFER, 0), KILLED),
    "another descriptor as the channel": Attempt(_duplicate_onto_channel, KILLED),
    # Rights
    "setuid": Attempt(bare("setuid", 0), KILLED),
    "setgid": Attempt(bare("setgid", 0), KILLED),
    "capset": Attempt(bare("capset", _BUFFER, _BUFFER), KILLED),
    "raise a limit": Attempt(bare("prlimit64", 0, resource.RLIMIT_AS, ctypes.c_char_p(b"\xff" * 16), None), "EPERM"),
    "become dumpable": Attempt(bare("prctl", 4, 1, 0, 0, 0), KILLED),
    "another filter": Attempt(bare("seccomp", 1, 0, None), KILLED),
    "keyctl": Attempt(bare("keyctl", 0, 0, 0), KILLED),
    "add_key": Attempt(bare("add_key", _BUFFER, _BUFFER, None, 0, 0), KILLED),
    # Memory
    "memory bomb": Attempt(_eat, MEMORY),
    "mapping bomb": Attempt(_map_forever, "ENOMEM"),
    "a memfd above the limit": Attempt(_fill_memfd, KILLED),
    "memfds without end": Attempt(_many_memfds, KILLED),
    "write to a sealed result": Attempt(_write_sealed, "EPERM"),
    "resize a sealed result": Attempt(_grow_sealed, KILLED),
    "add seals to a sealed result": Attempt(_unseal, "EPERM"),
    "map a sealed result for writing": Attempt(_map_sealed, KILLED),
    "map memory executable": Attempt(
        lambda _: mmap.mmap(-1, _PAGE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC), KILLED
    ),
    "map a memfd executable": Attempt(_map_memfd_executable, KILLED),
    "make memory executable": Attempt(_protect(mmap.PROT_READ | mmap.PROT_EXEC), KILLED),
    "make memory writable": Attempt(_protect(mmap.PROT_READ | mmap.PROT_WRITE), "ENOMEM"),
    "pkey_mprotect": Attempt(bare("pkey_mprotect", None, _PAGE, 4, 0), KILLED),
    "remap_file_pages": Attempt(bare("remap_file_pages", None, 0, 0, 0, 0), KILLED),
    "memfd that can be executed": Attempt(bare("memfd_create", _VICTIM, 0x10), KILLED),
    "memfd_secret": Attempt(bare("memfd_secret", 0), KILLED),
    "mlock": Attempt(bare("mlock", _BUFFER, 1), KILLED),
    "userfaultfd": Attempt(bare("userfaultfd", 0), KILLED),
    # Entries to the kernel that are known for their holes
    "io_uring": Attempt(bare("io_uring_setup", 1, _BUFFER), KILLED),
    "bpf": Attempt(bare("bpf", 0, _BUFFER, 64), KILLED),
    "perf_event_open": Attempt(bare("perf_event_open", _BUFFER, 0, -1, -1, 0), KILLED),
    "splice": Attempt(bare("splice", 0, None, 1, None, 1, 0), KILLED),
    "vmsplice": Attempt(bare("vmsplice", 1, _BUFFER, 1, 0), KILLED),
    "tee": Attempt(bare("tee", 0, 1, 1, 0), KILLED),
    "sendfile": Attempt(bare("sendfile", 1, 0, None, 1), KILLED),
    "modify_ldt": Attempt(bare("modify_ldt", 0, _BUFFER, 1), KILLED),
    "put characters into a terminal": Attempt(bare("ioctl", 0, 0x5412, _BUFFER), KILLED),
    "shmget": Attempt(bare("shmget", 0, _PAGE, 0o1600), KILLED),
    "msgget": Attempt(bare("msgget", 0, 0o1600), KILLED),
    "semget": Attempt(bare("semget", 0, 1, 0o1600), KILLED),
    "mq_open": Attempt(bare("mq_open", _VICTIM, 0o102, 0o600, None), KILLED),
    "epoll_create": Attempt(bare("epoll_create1", 0), KILLED),
    "pipe": Attempt(bare("pipe2", _BUFFER, 0), KILLED),
    "read a descriptor": Attempt(bare("read", 0, _BUFFER, 1), KILLED),
    "a signal's handler": Attempt(bare("rt_sigaction", 14, _BUFFER, None, 8), KILLED),
    "rt_sigreturn": Attempt(bare("rt_sigreturn"), KILLED),
    "sleep for ever": Attempt(bare("nanosleep", _BUFFER, None), KILLED),
    "sched_setaffinity": Attempt(bare("sched_setaffinity", 0, 8, _BUFFER), KILLED),
    "a call by the x32 table": Attempt(_x32, KILLED),
    "a call that does not exist": Attempt(lambda _: _libc.syscall(ctypes.c_long(5000)), KILLED),
    # The machine
    "swapon": Attempt(bare("swapon", _VICTIM, 0), KILLED),
    "reboot": Attempt(bare("reboot", 0, 0, 0, None), KILLED),
    "init_module": Attempt(bare("init_module", _BUFFER, 1, _BUFFER), KILLED),
    "finit_module": Attempt(bare("finit_module", 0, _BUFFER, 0), KILLED),
    "kexec_load": Attempt(bare("kexec_load", 0, 0, None, 0), KILLED),
    "syslog": Attempt(bare("syslog", 3, _BUFFER, 100), KILLED),
    "acct": Attempt(bare("acct", None), KILLED),
    "settimeofday": Attempt(bare("settimeofday", None, None), KILLED),
    "clock_settime": Attempt(bare("clock_settime", 0, _BUFFER), KILLED),
    "sethostname": Attempt(bare("sethostname", _VICTIM, 4), KILLED),
    "iopl": Attempt(bare("iopl", 3), KILLED),
}


def outcome(name: str, supervisor: int) -> str:
    """What became of the attempt, unless it ended the process."""
    try:
        ATTEMPTS[name].act(supervisor)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except Exception as error:  # noqa: BLE001 - each kind is an outcome
        return type(error).__name__
    return "escaped"
