"""Metal devices, by MTLCopyAllDevices and the Objective-C runtime.

Not run on this platform: written from Apple's documentation of Metal and of the Objective-C runtime, and nothing here
has been executed on it.
"""

from __future__ import annotations

import ctypes
from typing import Any

from ndfd.model.hardware import Device
from ndfd.platform.vendor_library import Found, RefusedError, bounded, decoded


def ask(library: ctypes.CDLL) -> Found:
    """Every device; its memory is what Metal recommends a process to take at most. The driver is the system's own."""
    try:
        copy = library.MTLCopyAllDevices
        runtime = ctypes.CDLL("/usr/lib/libobjc.A.dylib")
    except (AttributeError, OSError) as error:
        raise RefusedError(f"it lacks what is needed: {error}") from None
    copy.restype = ctypes.c_void_p
    devices = copy()
    if not devices:
        return Found(None, ())
    count = _send(runtime, ctypes.c_ulong, devices, "count")
    found = []
    for index in range(bounded(count)):
        device = _send(runtime, ctypes.c_void_p, devices, "objectAtIndex:", ctypes.c_ulong(index))
        name = _send(runtime, ctypes.c_char_p, _send(runtime, ctypes.c_void_p, device, "name"), "UTF8String")
        memory_bytes = _send(runtime, ctypes.c_uint64, device, "recommendedMaxWorkingSetSize")
        found.append(Device(decoded(name or b""), memory_bytes))
    return Found(None, tuple(found))


def _send(runtime: ctypes.CDLL, result: type, receiver: int, selector: str, *arguments: object) -> Any:
    """objc_msgSend, which has to be called by the signature of the method that it reaches."""
    register = runtime.sel_registerName
    register.restype, register.argtypes = ctypes.c_void_p, (ctypes.c_char_p,)
    signature = ctypes.CFUNCTYPE(result, ctypes.c_void_p, ctypes.c_void_p, *map(type, arguments))
    called = signature(("objc_msgSend", runtime))
    return called(receiver, register(selector.encode()), *arguments)
