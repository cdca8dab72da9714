"""Windows: priority classes, processors by CPU sets and by the affinity mask, EcoQoS off.

Not run on this platform: written from its documentation, and nothing here has been executed on it. The heap needs no
knob: the low-fragmentation heap is on for every process (HeapSetInformation), and large pages need
SeLockMemoryPrivilege and memory that is asked for by name (MEM_LARGE_PAGES), of which ndfd has none.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ndfd.model.topology import Cpu, Topology, format_cpus, listed_cpus
from ndfd.platform.base_process import Knob, Process

# processthreadsapi.h, SetPriorityClass.
_CLASSES = {"idle": 0x40, "batch": 0x4000, "other": 0x20, "rr": 0x8000, "fifo": 0x80}
# PROCESS_INFORMATION_CLASS and PROCESS_POWER_THROTTLING_STATE: version 1, what is said, what is on.
_POWER_THROTTLING = 4
_EXECUTION_SPEED = 0x1
#: Processors of one mask: machines with more have groups of them, and a process begins in one.
_MASK_BITS = 64


class _PowerThrottling(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("control", ctypes.c_uint32), ("state", ctypes.c_uint32))


class WindowsProcess(Process):
    """The answers of Windows."""

    name = "Windows"

    def knobs(self) -> Mapping[str, Knob]:
        """By name."""
        load: Any = vars(ctypes)["WinDLL"]
        kernel = load("kernel32", use_last_error=True)
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        return {
            "affinity": Knob(lambda: _affinity(kernel), lambda text: _set_affinity(kernel, text)),
            "scheduling": Knob(
                lambda: _priority_class(kernel),
                lambda text: _set_priority_class(kernel, text),
                "SeIncreaseBasePriority",
            ),
        }

    def topology(self, root: Path = Path("/")) -> Topology:
        """Those of the mask; which of them share a core is not told apart."""
        load: Any = vars(ctypes)["WinDLL"]
        kernel = load("kernel32", use_last_error=True)
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        return Topology(tuple(Cpu(number, core=number) for number in _bits(_mask(kernel))))


def _priority_class(kernel: Any) -> str:
    number = int(_true(kernel.GetPriorityClass(_self(kernel))))
    return next((name for name, known in _CLASSES.items() if known == number), str(number))


def _set_priority_class(kernel: Any, text: str) -> None:
    """The number of a priority is not there: a class stands for it. Whoever is above normal is not slowed for power."""
    name = text.split()[0]
    _true(kernel.SetPriorityClass(_self(kernel), ctypes.c_uint32(_CLASSES[name])))
    if name not in ("idle", "batch"):
        throttling = _PowerThrottling(1, _EXECUTION_SPEED, 0)
        size = ctypes.sizeof(throttling)
        # Before Windows 11 there is none to switch off.
        kernel.SetProcessInformation(_self(kernel), _POWER_THROTTLING, ctypes.byref(throttling), size)


def _affinity(kernel: Any) -> str:
    return format_cpus(_bits(_mask(kernel)))


def _set_affinity(kernel: Any, text: str) -> None:
    mask = sum(1 << number for number in listed_cpus(text))
    _true(kernel.SetProcessAffinityMask(_self(kernel), ctypes.c_size_t(mask)))


def _mask(kernel: Any) -> int:
    own, system = ctypes.c_size_t(), ctypes.c_size_t()
    _true(kernel.GetProcessAffinityMask(_self(kernel), ctypes.byref(own), ctypes.byref(system)))
    return own.value


def _bits(mask: int) -> list[int]:
    return [number for number in range(_MASK_BITS) if mask >> number & 1]


def _self(kernel: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(kernel.GetCurrentProcess())


def _true(result: Any) -> Any:
    """OSError for a call that says that it failed."""
    if not result:
        last_error: Any = vars(ctypes)["get_last_error"]
        raise OSError(f"Windows error {last_error()}")
    return result
