"""The system calls of a worker: which it may make, and which fail without harm. Every other ends it (SIGSYS).

The list was measured: strace over workers that converted more than 200 documents, sound, broken and hostile, in every
format. Allowed is what was seen there, and what the C library does in the same functions in its other versions. A call
that fails and does no more is one that CPython, the C library or PDFium are known to try and to do without: a document
must not cost its worker for that.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import resource

from ndfd.platform.base import WORKER_CHANNEL_FD
from ndfd.platform.linux_seccomp import ALLOW, Below, Is, Rule

#: A descriptor with a number from here on can be had but not used: it cannot be written to, mapped or sealed. What the
#: memory of memfds comes to is bounded by that. Standard input to error, the channel, the document, its duplicate and
#: the result take numbers 0 to 6; one is to spare. RLIMIT_NOFILE cannot be that small: sendmsg(2) fails with
#: ETOOMANYREFS when the user has more descriptors than that under way, in all processes together.
USABLE_FDS = 8

_READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE
#: MAP_NORESERVE and MAP_STACK, which the C library adds to what it takes for itself.
_HINTS = 0x4000 | 0x20000
_ALL_BITS = 0xFFFFFFFF
_MREMAP_MAYMOVE = 1
_MADV_HUGEPAGE = 14
_AT_EMPTY_PATH = 0x1000
# linux/futex.h: FUTEX_WAKE | FUTEX_PRIVATE_FLAG.
_FUTEX_WAKE_PRIVATE = 0x81
# asm-generic/ioctls.h; the second is what isatty(3) asks since glibc 2.42.
_TCGETS, _TCGETS2 = 0x5401, 0x802C542A
_PR_SET_VMA = 0x53564D41
_ITIMER_REAL = 0

_USABLE = Below(0, USABLE_FDS)
_CHANNEL = Is(0, WORKER_CHANNEL_FD)


def worker_rules(pid: int) -> tuple[Rule, ...]:
    """The rules of the worker with this process id."""
    return (*_ALLOWED, Rule("tgkill", (Is(0, pid), Is(1, pid))), *_FAIL)


def allowed_calls() -> frozenset[str]:
    """The names of the calls that a worker may make, some with certain arguments only."""
    return frozenset(rule.call for rule in worker_rules(0) if rule.action == ALLOW)


_ALLOWED = (
    # Memory: its own, without execution; and a descriptor's (the document's), shared, read only.
    Rule("brk"),
    Rule(
        "mmap",
        (Is(2, 0, _ALL_BITS & ~_READ_WRITE), Is(3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, _ALL_BITS & ~_HINTS)),
    ),
    Rule("mmap", (Is(2, mmap.PROT_READ), Is(3, mmap.MAP_SHARED), Below(4, USABLE_FDS))),
    Rule("munmap"),
    Rule("madvise", (Is(2, _MADV_HUGEPAGE),)),  # For more of the heap, with [swarm] huge_pages.
    Rule("mremap", (Is(3, _MREMAP_MAYMOVE),)),  # realloc(3) of a large block.
    # The channel: a job in, frames and the result out.
    Rule("recvmsg", (_CHANNEL,)),
    Rule("sendmsg", (_CHANNEL,)),
    # The result, and a traceback on standard error.
    Rule("memfd_create", (Is(1, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING),)),
    Rule("write", (_USABLE,)),
    Rule("fcntl", (_USABLE, Is(1, fcntl.F_ADD_SEALS))),
    Rule("close"),
    # The document: its size, and the duplicate of its descriptor that Python's mmap keeps. glibc asks newfstatat with
    # an empty path before 2.39, fstat since. A filter cannot see that the path is empty: what can be learnt by another
    # is whether a file is there, its size and its times.
    Rule("fstat"),
    Rule("newfstatat", (_USABLE, Is(3, _AT_EMPTY_PATH))),
    Rule("fcntl", (_USABLE, Is(1, fcntl.F_DUPFD_CLOEXEC))),
    # Time: the CPU's that it used, the clock where it is not read without a call, and its own last-resort timer, for
    # which aarch64 has no alarm.
    Rule("clock_gettime"),
    Rule("getrusage", (Is(0, resource.RUSAGE_SELF),)),
    Rule("alarm"),
    Rule("setitimer", (Is(0, _ITIMER_REAL),)),
    # The limit of its CPU time, which each job has anew. What a job makes of its own is bounded by its deadline.
    Rule("prlimit64", (Is(0, 0), Is(1, resource.RLIMIT_CPU))),
    # What the libraries do when they let go of a lock. There is one thread, so that nobody ever waits for one.
    Rule("futex", (Is(1, _FUTEX_WAKE_PRIVATE),)),
    # abort(3), by which PDFium ends at its wits' end: so that the cause reads SIGABRT. tgkill: to itself alone.
    Rule("rt_sigprocmask"),
    Rule("getpid"),
    Rule("gettid"),
    Rule("exit_group"),
)


def _fails(number: int, *calls: str) -> tuple[Rule, ...]:
    return tuple(Rule(call, action=number) for call in calls)


_FAIL = (
    # By path: a traceback looks for lines of source, an import that comes late for its file, PDFium for a font.
    *_fails(errno.EACCES, "openat", "open", "newfstatat", "stat", "lstat", "statx"),
    *_fails(errno.EACCES, "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd"),
    # isatty(3), which Python asks before it colours a traceback.
    Rule("ioctl", (Is(1, _TCGETS),), errno.ENOTTY),
    Rule("ioctl", (Is(1, _TCGETS2),), errno.ENOTTY),
    # What the C library can do without: hints; a second arena once memory is used up; what qsort(3) and arc4random(3)
    # ask.
    *_fails(errno.EINVAL, "madvise"),
    Rule("mprotect", (Is(2, 0, _ALL_BITS & ~_READ_WRITE),), errno.ENOMEM),
    *_fails(errno.ENOSYS, "sysinfo", "getrandom", "time", "gettimeofday"),
    # CPython 3.14 names its memory.
    Rule("prctl", (Is(0, _PR_SET_VMA),), errno.EINVAL),
    # pthread_getattr_np(3) asks for the size of the stack.
    *_fails(errno.EPERM, "prlimit64"),
)
