"""CUDA devices, by NVML (NVIDIA Management Library API Reference), which comes with the driver.

It is asked instead of CUDA itself: it makes no context on a device, which takes 100 ms and 300 MB of the device's
memory, and tells of devices that CUDA_VISIBLE_DEVICES hides.
"""

from __future__ import annotations

import ctypes

from ndfd.model.hardware import Device
from ndfd.platform.vendor_library import Found, RefusedError, bounded, decoded, function

_SUCCESS, _NOT_SUPPORTED = 0, 3
#: nvmlReturn_t of those that an operator can do something about.
_REASONS = {
    4: "this user may not ask it",
    9: "its kernel module is not loaded, or its device files are not there",
    18: "the library and the kernel module are of different versions: load the module anew, or restart the machine",
}
#: NVML_DEVICE_NAME_V2_BUFFER_SIZE; NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE is less.
_TEXT_BYTES = 96


class _Memory(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


def ask(library: ctypes.CDLL) -> Found:
    """Every device of the machine that this process may see."""
    _call(library, "nvmlInit_v2")
    driver = _text(library, "nvmlSystemGetDriverVersion")
    try:
        count = ctypes.c_uint(0)
        _call(library, "nvmlDeviceGetCount_v2", ctypes.byref(count))
        return Found(driver, tuple(_device(library, index) for index in range(bounded(count.value))))
    except RefusedError as refused:
        refused.driver = driver
        raise
    finally:
        _call(library, "nvmlShutdown")


def _device(library: ctypes.CDLL, index: int) -> Device:
    handle = ctypes.c_void_p()
    _call(library, "nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
    memory = _Memory()
    # Of a device that shares the machine's memory it has no figure.
    known = _call(library, "nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory), may=_NOT_SUPPORTED) == _SUCCESS
    return Device(_text(library, "nvmlDeviceGetName", handle), memory.total if known else None)


def _text(library: ctypes.CDLL, name: str, *before: object) -> str:
    buffer = ctypes.create_string_buffer(_TEXT_BYTES)
    _call(library, name, *before, buffer, ctypes.c_uint(_TEXT_BYTES))
    return decoded(buffer.raw)


def _call(library: ctypes.CDLL, name: str, *arguments: object, may: int = _SUCCESS) -> int:
    """The status; `RefusedError` for one that is neither success nor `may`."""
    status = function(library, name)(*arguments)
    if status not in (_SUCCESS, may):
        reason = _REASONS.get(status) or _said(library, status)
        raise RefusedError(f"{name}: {reason} (status {status})")
    return status


def _said(library: ctypes.CDLL, status: int) -> str:
    explain = getattr(library, "nvmlErrorString", None)
    if explain is None:
        return "refused"
    explain.restype = ctypes.c_char_p
    return decoded(explain(status) or b"refused")
