"""ROCm devices, by ROCm SMI (rocm_smi.h) or by HIP's runtime (hip_runtime_api.h).

ROCm SMI comes first: it reads what the driver tells and wakes no device. HIP is what there is where only an
application's runtime is installed, and on Windows.
"""

from __future__ import annotations

import ctypes

from ndfd.model.hardware import Device
from ndfd.platform.vendor_library import Found, RefusedError, bounded, decoded, function

_SUCCESS = 0
#: RSMI_STATUS_INIT_ERROR: seen where its kernel module is not loaded, so of machines without a device. Libraries for
#: topology bring ROCm SMI to many of those.
_NOTHING_TO_ASK = 8
#: rsmi_sw_component_t, rsmi_memory_type_t.
_DRIVER, _VRAM = 0, 0
#: hipError_t: there is none, and the runtime is older than the driver needs.
_HIP_NO_DEVICE, _HIP_NO_DRIVER = 100, 35
_TEXT_BYTES = 256


def ask(library: ctypes.CDLL) -> Found:
    """Every device that this process may see."""
    if hasattr(library, "rsmi_init"):
        return _by_smi(library)
    return _by_hip(library)


def _by_smi(library: ctypes.CDLL) -> Found:
    if _call(library, "rsmi_init", ctypes.c_uint64(0), may=(_NOTHING_TO_ASK,)) != _SUCCESS:
        return Found(None, ())
    try:
        count = ctypes.c_uint32(0)
        _call(library, "rsmi_num_monitor_devices", ctypes.byref(count))
        driver = ctypes.create_string_buffer(_TEXT_BYTES)
        _call(library, "rsmi_version_str_get", ctypes.c_int(_DRIVER), driver, ctypes.c_uint32(_TEXT_BYTES))
        devices = []
        for index in map(ctypes.c_uint32, range(bounded(count.value))):
            name, memory = ctypes.create_string_buffer(_TEXT_BYTES), ctypes.c_uint64(0)
            _call(library, "rsmi_dev_name_get", index, name, ctypes.c_size_t(_TEXT_BYTES))
            _call(library, "rsmi_dev_memory_total_get", index, ctypes.c_int(_VRAM), ctypes.byref(memory))
            devices.append(Device(decoded(name.raw), memory.value))
        return Found(decoded(driver.raw) or None, tuple(devices))
    finally:
        _call(library, "rsmi_shut_down")


def _by_hip(library: ctypes.CDLL) -> Found:
    count, version = ctypes.c_int(0), ctypes.c_int(0)
    if _call(library, "hipGetDeviceCount", ctypes.byref(count), may=(_HIP_NO_DEVICE, _HIP_NO_DRIVER)) != _SUCCESS:
        return Found(None, ())
    _call(library, "hipDriverGetVersion", ctypes.byref(version))
    devices = []
    for index in map(ctypes.c_int, range(bounded(count.value))):
        name, memory = ctypes.create_string_buffer(_TEXT_BYTES), ctypes.c_size_t(0)
        _call(library, "hipDeviceGetName", name, ctypes.c_int(_TEXT_BYTES), index)
        _call(library, "hipDeviceTotalMem", ctypes.byref(memory), index)
        devices.append(Device(decoded(name.raw), memory.value))
    # HIP_VERSION: major * 10^7 + minor * 10^5 + patch.
    major, minor = version.value // 10_000_000, version.value // 100_000 % 100
    return Found(f"{major}.{minor}" if version.value else None, tuple(devices))


def _call(library: ctypes.CDLL, name: str, *arguments: object, may: tuple[int, ...] = ()) -> int:
    status = function(library, name)(*arguments)
    if status != _SUCCESS and status not in may:
        raise RefusedError(f"{name}: refused (status {status})")
    return status
