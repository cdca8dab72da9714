"""Job objects: a set of processes with limits that ends as one.

Run under Wine 10, not on Windows itself.
"""

from __future__ import annotations

import ctypes
import subprocess
from typing import Any

from ndfd.platform.windows_calls import kernel32, true

# winnt.h: JOBOBJECT_EXTENDED_LIMIT_INFORMATION and its flags.
EXTENDED_LIMITS = 9
LIMIT_KILL_ON_CLOSE = 0x00002000
# processthreadsapi.h: the child runs nothing before it is in the job, and opens no console window.
_CREATE_SUSPENDED, _CREATE_NO_WINDOW = 0x00000004, 0x08000000
# PROCESS_TERMINATE, PROCESS_SET_QUOTA, PROCESS_SUSPEND_RESUME: what the calls below ask for.
_ACCESS = 0x0001 | 0x0100 | 0x0800
_KILLED = 1


class BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

    _fields_ = (
        ("process_time", ctypes.c_int64),
        ("job_time", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("working_set_min", ctypes.c_size_t),
        ("working_set_max", ctypes.c_size_t),
        ("active_processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority_class", ctypes.c_uint32),
        ("scheduling_class", ctypes.c_uint32),
    )


class ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = (
        ("basic", BasicLimits),
        ("io_counters", ctypes.c_uint64 * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("peak_process_memory", ctypes.c_size_t),
        ("peak_job_memory", ctypes.c_size_t),
    )


class Containment:
    """What keeps a child together and takes it down with its parent. This is the portable answer: the child alone."""

    #: For CreateProcess.
    creation_flags = 0

    def admit(self, process: subprocess.Popen[bytes]) -> None:
        """Takes in a child that has just been made. OSError if it cannot be: it is then to be ended."""

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Ends the child and all that it started."""
        process.kill()


class Job(Containment):
    """A job whose processes the kernel ends with the last handle to it: with this process, in whatever way it ends."""

    creation_flags = _CREATE_SUSPENDED | _CREATE_NO_WINDOW

    def __init__(self) -> None:
        """OSError if there can be none."""
        self._kernel = kernel32()
        # Not inheritable: a handle in the child would keep the job alive for as long as the child itself.
        self._job = true(self._kernel.CreateJobObjectW(None, None))
        limits = ExtendedLimits()
        limits.basic.flags = LIMIT_KILL_ON_CLOSE
        size = ctypes.sizeof(limits)
        true(self._kernel.SetInformationJobObject(self._job, EXTENDED_LIMITS, ctypes.byref(limits), size))

    def admit(self, process: subprocess.Popen[bytes]) -> None:
        """Puts the suspended child into the job and lets it run."""
        handle = true(self._kernel.OpenProcess(_ACCESS, False, process.pid))
        try:
            true(self._kernel.AssignProcessToJobObject(self._job, handle))
            _resume(handle)
        finally:
            self._kernel.CloseHandle(handle)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Ends all that is in the job."""
        self._kernel.TerminateJobObject(self._job, _KILLED)


def _resume(handle: int) -> None:
    """`subprocess` closes the handle of the thread, so ResumeThread has none: the call below takes the process."""
    load: Any = vars(ctypes)["WinDLL"]
    resume = load("ntdll").NtResumeProcess
    resume.argtypes = (ctypes.c_void_p,)
    if status := resume(handle):
        raise OSError(f"NtResumeProcess failed with 0x{status & 0xFFFFFFFF:08X}")
