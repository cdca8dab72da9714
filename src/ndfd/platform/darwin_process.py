"""macOS: quality-of-service classes, affinity tags, the limit of open files.

Not run on this platform: written from its manual pages and headers, and nothing here has been executed on it. It binds
no thread to a processor: a tag asks that threads of one tag share a cache, on Intel machines only
(THREAD_AFFINITY_POLICY of mach/thread_policy.h), and a class of service chooses between fast and efficient cores.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
from collections.abc import Callable, Mapping

from ndfd.model.topology import ProcessLimits
from ndfd.platform.base_process import Knob, Process

# sys/qos.h
_CLASSES = {"user-interactive": 0x21, "user-initiated": 0x19, "default": 0x15, "utility": 0x11, "background": 0x09}
# sys/resource.h: setiopolicy_np(3), of disks, for the whole process.
_IOPOL_TYPE_DISK, _IOPOL_SCOPE_PROCESS = 0, 0
_IO_POLICIES = {"best-effort 0": 1, "best-effort 7": 5, "idle": 3}
# mach/thread_policy.h
_THREAD_AFFINITY_POLICY, _AFFINITY_COUNT = 4, 1
#: sys/syslimits.h, OPEN_MAX: setrlimit(2) refuses more, whatever the hard limit says.
_OPEN_MAX = 10240
#: "batch" and "idle" as the class that means the same.
_SCHEDULING = {"other": "default", "batch": "utility", "idle": "background"}


class DarwinProcess(Process):
    """The answers of macOS."""

    name = "macOS"

    def knobs(self) -> Mapping[str, Knob]:
        """By name."""
        library = ctypes.CDLL(None, use_errno=True)
        return {
            "affinity": Knob(_no_affinity, lambda text: _set_tag(library, text)),
            "io_priority": Knob(lambda: _io_policy(library), lambda text: _set_io_policy(library, text)),
            "open_files": Knob(_open_files, _set_open_files),
            "scheduling": Knob(lambda: _service_class(library), lambda text: _set_service_class(library, text)),
        }

    def limits(self, root: object = None) -> ProcessLimits:
        """getrlimit(2)."""
        soft, hard = (None if n == resource.RLIM_INFINITY else n for n in resource.getrlimit(resource.RLIMIT_NOFILE))
        return ProcessLimits(open_files=soft, open_files_max=min(_OPEN_MAX, hard or _OPEN_MAX))


def _service_class(library: ctypes.CDLL) -> str:
    known = {number: name for name, number in _CLASSES.items()}
    named = known.get(int(library.qos_class_self()), "default")
    return next((policy for policy, name in _SCHEDULING.items() if name == named), named)


def _set_service_class(library: ctypes.CDLL, text: str) -> None:
    """pthread_set_qos_class_self_np(3), of this thread; what it starts has its own."""
    if text not in _SCHEDULING:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    _refused(library.pthread_set_qos_class_self_np(ctypes.c_uint(_CLASSES[_SCHEDULING[text]]), ctypes.c_int(0)))


def _io_policy(library: ctypes.CDLL) -> str:
    number = int(library.getiopolicy_np(_IOPOL_TYPE_DISK, _IOPOL_SCOPE_PROCESS))
    return next((name for name, policy in _IO_POLICIES.items() if policy == number), "best-effort 4")


def _set_io_policy(library: ctypes.CDLL, text: str) -> None:
    if library.setiopolicy_np(_IOPOL_TYPE_DISK, _IOPOL_SCOPE_PROCESS, _IO_POLICIES.get(text, 0)) != 0:
        _refused(ctypes.get_errno())


def _no_affinity() -> str:
    """Nothing tells which processors a thread is on."""
    return ""


def _set_tag(library: ctypes.CDLL, text: str) -> None:
    """A tag of its own for each processor; what comes of it cannot be read, so it never counts as applied."""
    policy = ctypes.c_int(int(text) + 1)
    set_policy: Callable[..., int] = library.thread_policy_set
    if set_policy(library.mach_thread_self(), _THREAD_AFFINITY_POLICY, ctypes.byref(policy), _AFFINITY_COUNT) != 0:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


def _open_files() -> str:
    return str(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _set_open_files(text: str) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(text), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def _refused(number: int) -> None:
    if number:
        raise OSError(number, os.strerror(number))
