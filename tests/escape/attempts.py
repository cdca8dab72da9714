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

#: The kernel ended the worker without a word: a call of another table.
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


def killed(call: str) -> str:
    """The worker was ended by SIGSYS, and the supervisor was told for which system call."""
    return f"killed by SIGSYS for {call}"


class Attempt(NamedTuple):
    """One try; its function is called with the process id of the supervisor."""

    act: Callable[[int], object]
    #: `killed`, `KILLED`, `MEMORY`, or the name of the error that it fails with.
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


def denied(name: str, *arguments: object) -> Attempt:
    """Makes this call."""
    return Attempt(bare(name, *arguments), killed(name))


def denied_at_supervisor(name: str, *arguments: object) -> Attempt:
    """Makes this call, with the supervisor's process id as its first argument."""
    return Attempt(lambda supervisor: call(name, supervisor, *arguments), killed(name))


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
    "open by openat2": denied("openat2", _AT_FDCWD, _ROOT, _BUFFER, 24),
    "creat": denied("creat", _VICTIM, 0o600),
    "unlink": denied("unlinkat", _AT_FDCWD, _VICTIM, 0),
    "rename": denied("renameat2", _AT_FDCWD, _VICTIM, _AT_FDCWD, _OTHER, 0),
    "link": denied("linkat", _AT_FDCWD, _VICTIM, _AT_FDCWD, _OTHER, 0),
    "symlink": denied("symlinkat", _ROOT, _AT_FDCWD, _OTHER),
    "truncate": denied("truncate", _VICTIM, 0),
    "chmod": denied("fchmodat", _AT_FDCWD, _VICTIM, 0o777),
    "chown": denied("fchownat", _AT_FDCWD, _VICTIM, 0, 0, 0),
    "mkdir": denied("mkdirat", _AT_FDCWD, _VICTIM, 0o777),
    "mknod": denied("mknodat", _AT_FDCWD, _VICTIM, 0o600, 0),
    "utimensat": denied("utimensat", _AT_FDCWD, _VICTIM, None, 0),
    "setxattr": denied("setxattr", _VICTIM, _VICTIM, _BUFFER, 1, 0),
    "look at a file": Attempt(lambda _: Path("/etc/passwd").stat(), "EACCES"),
    "read a link": Attempt(lambda _: Path("/proc/self/exe").readlink(), "EACCES"),
    "list a folder": Attempt(lambda _: list(os.scandir("/")), "EACCES"),
    "import a module": Attempt(_import_late, "ModuleNotFoundError"),
    "mount": denied("mount", _ROOT, _ROOT, None, 4096, None),
    "umount": denied("umount2", _ROOT, 2),
    "chroot": denied("chroot", _ROOT),
    "pivot_root": denied("pivot_root", _ROOT, _ROOT),
    "fsopen": denied("fsopen", ctypes.c_char_p(b"tmpfs"), 0),
    "open_tree": denied("open_tree", _AT_FDCWD, _ROOT, 1),
    "name_to_handle_at": denied("name_to_handle_at", _AT_FDCWD, _ROOT, _BUFFER, _BUFFER, 0),
    "open_by_handle_at": denied("open_by_handle_at", _AT_FDCWD, _BUFFER, 0),
    "quotactl": denied("quotactl", 0, None, 0, None),
    "inotify": denied("inotify_init1", 0),
    "fanotify": denied("fanotify_init", 0, 0),
    # Programs, processes, threads
    "execve": denied("execve", ctypes.c_char_p(b"/bin/sh"), None, None),
    "execute a memfd": Attempt(_execute_memfd, killed("execveat")),
    "fork": Attempt(lambda _: os.fork(), killed("clone")),
    "vfork": denied("vfork"),
    "clone": denied("clone", 17, None, None, None, None),
    "clone3": denied("clone3", _BUFFER, 88),
    # The C library sets a handler before it makes the first one.
    "start a thread": Attempt(_start_thread, killed("rt_sigaction")),
    "unshare": denied("unshare", 0x10000000),
    "setns": denied("setns", 0, 0),
    "setsid": denied("setsid"),
    "personality": denied("personality", 0x0400000),
    # Other processes
    "ptrace": Attempt(lambda pid: call("ptrace", 0x4206, pid, None, None), killed("ptrace")),
    "process_vm_readv": denied_at_supervisor("process_vm_readv", _BUFFER, 1, _BUFFER, 1, 0),
    "process_vm_writev": denied_at_supervisor("process_vm_writev", _BUFFER, 1, _BUFFER, 1, 0),
    "process_madvise": denied("process_madvise", 0, _BUFFER, 1, 4, 0),
    "kcmp": Attempt(lambda pid: call("kcmp", pid, pid, 0, 0, 0), killed("kcmp")),
    "kill": denied_at_supervisor("kill", 9),
    "kill everything": denied("kill", -1, 0),
    "tgkill": Attempt(lambda pid: call("tgkill", pid, pid, 9), killed("tgkill")),
    "pidfd_open": denied_at_supervisor("pidfd_open", 0),
    "pidfd_send_signal": denied("pidfd_send_signal", 0, 9, None, 0),
    "pidfd_getfd": denied("pidfd_getfd", 0, 0, 0),
    "setpriority": Attempt(lambda pid: call("setpriority", 0, pid, -20), killed("setpriority")),
    # The network and other programs' sockets
    "socket of IPv4": Attempt(lambda _: socket.socket(socket.AF_INET), killed("socket")),
    "socket of IPv6": Attempt(lambda _: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), killed("socket")),
    "local socket": Attempt(lambda _: socket.socket(socket.AF_UNIX), killed("socket")),
    "netlink socket": Attempt(lambda _: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW), killed("socket")),
    "vsock": Attempt(lambda _: socket.socket(socket.AF_VSOCK), killed("socket")),
    "raw packets": Attempt(lambda _: socket.socket(socket.AF_PACKET, socket.SOCK_RAW), killed("socket")),
    "socketpair": Attempt(lambda _: socket.socketpair(), killed("socketpair")),
    "connect": denied("connect", platform.WORKER_CHANNEL_FD, _BUFFER, 16),
    "bind": denied("bind", platform.WORKER_CHANNEL_FD, _BUFFER, 16),
    "sendto": denied("sendto", platform.WORKER_CHANNEL_FD, _BUFFER, 1, 0, _BUFFER, 16),
    "sendmsg elsewhere": denied("sendmsg", 2, _BUFFER, 0),
    "another descriptor as the channel": Attempt(_duplicate_onto_channel, killed("dup3")),
    # Rights
    "setuid": denied("setuid", 0),
    "setgid": denied("setgid", 0),
    "capset": denied("capset", _BUFFER, _BUFFER),
    "raise a limit": Attempt(bare("prlimit64", 0, resource.RLIMIT_AS, ctypes.c_char_p(b"\xff" * 16), None), "EPERM"),
    "become dumpable": denied("prctl", 4, 1, 0, 0, 0),
    "another filter": denied("seccomp", 1, 0, None),
    "keyctl": denied("keyctl", 0, 0, 0),
    "add_key": denied("add_key", _BUFFER, _BUFFER, None, 0, 0),
    # Memory
    "memory bomb": Attempt(_eat, MEMORY),
    "mapping bomb": Attempt(_map_forever, "ENOMEM"),
    "a memfd above the limit": Attempt(_fill_memfd, killed("fallocate")),
    "memfds without end": Attempt(_many_memfds, killed("write")),
    "write to a sealed result": Attempt(_write_sealed, "EPERM"),
    "resize a sealed result": Attempt(_grow_sealed, killed("ftruncate")),
    "add seals to a sealed result": Attempt(_unseal, "EPERM"),
    "map a sealed result for writing": Attempt(_map_sealed, killed("mmap")),
    "map memory executable": Attempt(
        lambda _: mmap.mmap(-1, _PAGE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC), killed("mmap")
    ),
    "map a memfd executable": Attempt(_map_memfd_executable, killed("mmap")),
    "make memory executable": Attempt(_protect(mmap.PROT_READ | mmap.PROT_EXEC), killed("mprotect")),
    "make memory writable": Attempt(_protect(mmap.PROT_READ | mmap.PROT_WRITE), "ENOMEM"),
    "pkey_mprotect": denied("pkey_mprotect", None, _PAGE, 4, 0),
    "remap_file_pages": denied("remap_file_pages", None, 0, 0, 0, 0),
    "memfd that can be executed": denied("memfd_create", _VICTIM, 0x10),
    "memfd_secret": denied("memfd_secret", 0),
    "mlock": denied("mlock", _BUFFER, 1),
    "userfaultfd": denied("userfaultfd", 0),
    # Entries to the kernel that are known for their holes
    "io_uring": denied("io_uring_setup", 1, _BUFFER),
    "bpf": denied("bpf", 0, _BUFFER, 64),
    "perf_event_open": denied("perf_event_open", _BUFFER, 0, -1, -1, 0),
    "splice": denied("splice", 0, None, 1, None, 1, 0),
    "vmsplice": denied("vmsplice", 1, _BUFFER, 1, 0),
    "tee": denied("tee", 0, 1, 1, 0),
    "sendfile": denied("sendfile", 1, 0, None, 1),
    "modify_ldt": denied("modify_ldt", 0, _BUFFER, 1),
    "put characters into a terminal": denied("ioctl", 0, 0x5412, _BUFFER),
    "shmget": denied("shmget", 0, _PAGE, 0o1600),
    "msgget": denied("msgget", 0, 0o1600),
    "semget": denied("semget", 0, 1, 0o1600),
    "mq_open": denied("mq_open", _VICTIM, 0o102, 0o600, None),
    "epoll_create": denied("epoll_create1", 0),
    "pipe": denied("pipe2", _BUFFER, 0),
    "read a descriptor": denied("read", 0, _BUFFER, 1),
    "a signal's handler": denied("rt_sigaction", 14, _BUFFER, None, 8),
    "rt_sigreturn": denied("rt_sigreturn"),
    "sleep for ever": denied("nanosleep", _BUFFER, None),
    "sched_setaffinity": denied("sched_setaffinity", 0, 8, _BUFFER),
    "a call by the x32 table": Attempt(_x32, KILLED),
    "a call that does not exist": Attempt(lambda _: _libc.syscall(ctypes.c_long(5000)), killed("call 5000")),
    # The machine
    "swapon": denied("swapon", _VICTIM, 0),
    "reboot": denied("reboot", 0, 0, 0, None),
    "init_module": denied("init_module", _BUFFER, 1, _BUFFER),
    "finit_module": denied("finit_module", 0, _BUFFER, 0),
    "kexec_load": denied("kexec_load", 0, 0, None, 0),
    "syslog": denied("syslog", 3, _BUFFER, 100),
    "acct": denied("acct", None),
    "settimeofday": denied("settimeofday", None, None),
    "clock_settime": denied("clock_settime", 0, _BUFFER),
    "sethostname": denied("sethostname", _VICTIM, 4),
    "iopl": denied("iopl", 3),
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
