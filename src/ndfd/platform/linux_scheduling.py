"""How the kernel schedules this thread and what it starts: policy, CPUs, autogroup, I/O priority, timer slack.

Each is inherited over fork and exec, but for a policy with reset-on-fork.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from pathlib import Path

from ndfd.model.topology import format_cpus, listed_cpus
from ndfd.platform import linux_syscalls
from ndfd.platform.linux_sandbox import prctl

# include/uapi/linux/prctl.h
_PR_SET_TIMERSLACK, _PR_GET_TIMERSLACK = 29, 30
# include/uapi/linux/ioprio.h: the class is above the 13 bits of the level.
_IOPRIO_WHO_PROCESS = 1
_IOPRIO_SHIFT = 13
_IO_CLASSES = ("none", "realtime", "best-effort", "idle")
_WITHOUT_LEVEL = ("none", "idle")

_POLICIES = {
    "other": os.SCHED_OTHER,
    "batch": os.SCHED_BATCH,
    "idle": os.SCHED_IDLE,
    "fifo": os.SCHED_FIFO,
    "rr": os.SCHED_RR,
}
_RESET = "reset-on-fork"

#: Without CAP_SYS_ADMIN one autogroup of the machine is changed in a tenth of a second (proc_sched_autogroup_set_nice).
_AUTOGROUP_EACH_S = 0.11
_AUTOGROUP_ATTEMPTS = 20

_libc = ctypes.CDLL(None, use_errno=True)


def policy() -> str:
    """ "other", "batch", "idle", or "fifo 1" and "rr 1" with their priority; "… reset-on-fork"."""
    number = os.sched_getscheduler(0)
    named = {known: name for name, known in _POLICIES.items()}
    said = named.get(number & ~os.SCHED_RESET_ON_FORK, str(number))
    priority = os.sched_getparam(0).sched_priority
    words = (said, *((str(priority),) if priority else ()), *((_RESET,) if number & os.SCHED_RESET_ON_FORK else ()))
    return " ".join(words)


def set_policy(text: str) -> None:
    """sched_setscheduler(2). The nice value stays, and counts for "other" and "batch"."""
    name, *rest = text.split()
    if name not in _POLICIES:
        raise ValueError(f"{name!r} is no policy")
    number = _POLICIES[name] | (os.SCHED_RESET_ON_FORK if _RESET in rest else 0)
    priority = next((int(word) for word in rest if word.isdecimal()), 0)
    os.sched_setscheduler(0, number, os.sched_param(priority))


def cpus() -> str:
    """The CPUs that this thread may run on, as a list."""
    return format_cpus(os.sched_getaffinity(0))


def set_cpus(text: str) -> None:
    """sched_setaffinity(2), within the cpuset of the control group."""
    os.sched_setaffinity(0, listed_cpus(text))


def io_priority() -> str:
    """ "best-effort 4", "realtime 0", "idle"; "none" where it follows the nice value, which newer kernels work out."""
    number = _call("ioprio_get", _IOPRIO_WHO_PROCESS, 0)
    name = _IO_CLASSES[number >> _IOPRIO_SHIFT & 7]
    return name if name in _WITHOUT_LEVEL else f"{name} {number & 7}"


def set_io_priority(text: str) -> None:
    """ioprio_set(2). It counts where the disk's scheduler looks at it (bfq, mq-deadline)."""
    name, _, level = text.partition(" ")
    _call("ioprio_set", _IOPRIO_WHO_PROCESS, 0, _IO_CLASSES.index(name) << _IOPRIO_SHIFT | int(level or 0))


def autogroup_nice() -> str:
    """The nice value of the session as a whole (sched(7)): between sessions that one counts, not its processes'."""
    # "/autogroup-25 nice 0"
    return Path("/proc/self/autogroup").read_text().split()[-1]


def set_autogroup_nice(text: str) -> None:
    """Waits its turn while others set theirs."""
    for attempt in range(_AUTOGROUP_ATTEMPTS):
        try:
            Path("/proc/self/autogroup").write_text(text)
        except OSError as error:
            if error.errno != errno.EAGAIN or attempt == _AUTOGROUP_ATTEMPTS - 1:
                raise
            time.sleep(_AUTOGROUP_EACH_S)
        else:
            return


def timer_slack() -> str:
    """Nanoseconds by which the kernel may put off this thread's timers, so that several of them are one interrupt."""
    return str(prctl(_PR_GET_TIMERSLACK))


def set_timer_slack(text: str) -> None:
    """PR_SET_TIMERSLACK. 0 would mean the value that the thread began with."""
    prctl(_PR_SET_TIMERSLACK, int(text))


def _call(name: str, *arguments: int) -> int:
    machine = linux_syscalls.this_machine()
    if machine is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    result = int(_libc.syscall(*map(ctypes.c_long, (machine.numbers[name], *arguments))))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
