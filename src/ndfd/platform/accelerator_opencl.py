"""OpenCL devices that are no CPU, by the loader of installable drivers (OpenCL 3.0 API Specification, chapter 4)."""

from __future__ import annotations

import ctypes

from ndfd.model.hardware import Device
from ndfd.platform.vendor_library import Found, RefusedError, bounded, decoded, function

_SUCCESS = 0
_DEVICE_NOT_FOUND, _PLATFORM_NOT_FOUND = -1, -1001
#: CL_DEVICE_TYPE_GPU and CL_DEVICE_TYPE_ACCELERATOR; the processor as a device is told of elsewhere.
_TYPES = ctypes.c_uint64(1 << 2 | 1 << 3)
_NAME, _DRIVER_VERSION, _GLOBAL_MEM_SIZE = 0x102B, 0x102D, 0x101F
_TEXT_BYTES = 256


def ask(library: ctypes.CDLL) -> Found:
    """Those of every installed driver, each with its driver's version."""
    devices = tuple(
        Device(
            _text(library, device, _NAME),
            _memory(library, device),
            _text(library, device, _DRIVER_VERSION) or None,
        )
        for platform in _handles(library, "clGetPlatformIDs", _PLATFORM_NOT_FOUND)
        for device in _handles(library, "clGetDeviceIDs", _DEVICE_NOT_FOUND, ctypes.c_void_p(platform), _TYPES)
    )
    return Found(None, devices)


def _handles(library: ctypes.CDLL, name: str, none: int, *before: object) -> list[int]:
    """The first call says how many, the second which."""
    count = ctypes.c_uint(0)
    if _call(library, name, *before, ctypes.c_uint(0), None, ctypes.byref(count), may=none) == none or not count.value:
        return []
    found = (ctypes.c_void_p * bounded(count.value))()
    _call(library, name, *before, count, found, None)
    return [handle for handle in found if handle]


def _text(library: ctypes.CDLL, device: int, what: int) -> str:
    buffer = ctypes.create_string_buffer(_TEXT_BYTES)
    _info(library, device, what, _TEXT_BYTES, buffer)
    return decoded(buffer.raw)


def _memory(library: ctypes.CDLL, device: int) -> int:
    size = ctypes.c_uint64(0)
    _info(library, device, _GLOBAL_MEM_SIZE, ctypes.sizeof(size), ctypes.byref(size))
    return size.value


def _info(library: ctypes.CDLL, device: int, what: int, size_bytes: int, place: object) -> None:
    handle, name = ctypes.c_void_p(device), ctypes.c_uint(what)
    _call(library, "clGetDeviceInfo", handle, name, ctypes.c_size_t(size_bytes), place, None)


def _call(library: ctypes.CDLL, name: str, *arguments: object, may: int = _SUCCESS) -> int:
    status = function(library, name)(*arguments)
    if status not in (_SUCCESS, may):
        raise RefusedError(f"{name}: refused (status {status})")
    return status
