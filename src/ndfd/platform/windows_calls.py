"""The libraries of Windows with the types of the calls that the service host makes, and what their failures become."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

_BOOL, _DWORD, _HANDLE, _TEXT = ctypes.c_int32, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_wchar_p
_POINTER = ctypes.c_void_p

#: By name: what a call gives, and what it takes.
_Prototypes = Mapping[str, tuple[Any, Sequence[Any]]]

_KERNEL32: _Prototypes = {
    "AssignProcessToJobObject": (_BOOL, (_HANDLE, _HANDLE)),
    "CloseHandle": (_BOOL, (_HANDLE,)),
    "CreateJobObjectW": (_HANDLE, (_POINTER, _TEXT)),
    "OpenProcess": (_HANDLE, (_DWORD, _BOOL, _DWORD)),
    "SetInformationJobObject": (_BOOL, (_HANDLE, ctypes.c_int32, _POINTER, _DWORD)),
    "TerminateJobObject": (_BOOL, (_HANDLE, _DWORD)),
}
_ADVAPI32: _Prototypes = {
    "ChangeServiceConfig2W": (_BOOL, (_HANDLE, _DWORD, _POINTER)),
    "CloseServiceHandle": (_BOOL, (_HANDLE,)),
    "ControlService": (_BOOL, (_HANDLE, _DWORD, _POINTER)),
    "CreateServiceW": (
        _HANDLE,
        (_HANDLE, _TEXT, _TEXT, *(_DWORD,) * 4, _TEXT, _TEXT, _POINTER, _TEXT, _TEXT, _TEXT),
    ),
    "DeleteService": (_BOOL, (_HANDLE,)),
    "DeregisterEventSource": (_BOOL, (_HANDLE,)),
    "OpenSCManagerW": (_HANDLE, (_TEXT, _TEXT, _DWORD)),
    "OpenServiceW": (_HANDLE, (_HANDLE, _TEXT, _DWORD)),
    "QueryServiceConfigW": (_BOOL, (_HANDLE, _POINTER, _DWORD, _POINTER)),
    "QueryServiceStatusEx": (_BOOL, (_HANDLE, ctypes.c_int32, _POINTER, _DWORD, _POINTER)),
    "RegisterEventSourceW": (_HANDLE, (_TEXT, _TEXT)),
    "RegisterServiceCtrlHandlerExW": (_HANDLE, (_TEXT, _POINTER, _POINTER)),
    "ReportEventW": (
        _BOOL,
        (_HANDLE, ctypes.c_uint16, ctypes.c_uint16, _DWORD, _POINTER, ctypes.c_uint16, _DWORD, _POINTER, _POINTER),
    ),
    "SetServiceStatus": (_BOOL, (_HANDLE, _POINTER)),
    "StartServiceCtrlDispatcherW": (_BOOL, (_POINTER,)),
    "StartServiceW": (_BOOL, (_HANDLE, _DWORD, _POINTER)),
}


@cache
def kernel32() -> Any:
    """The library of that name."""
    return _load("kernel32", _KERNEL32)


@cache
def advapi32() -> Any:
    """The library of that name."""
    return _load("advapi32", _ADVAPI32)


def true(result: Any) -> Any:
    """OSError, with `winerror`, for a call that says that it failed."""
    if not result:
        # Of Windows only, and so unknown to a type checker on any other system.
        error_now: Any = vars(ctypes)["WinError"]
        last_error: Any = vars(ctypes)["get_last_error"]
        raise error_now(last_error())
    return result


def _load(name: str, prototypes: _Prototypes) -> Any:
    load: Any = vars(ctypes)["WinDLL"]
    library = load(name, use_last_error=True)
    for call, (result, arguments) in prototypes.items():
        function = getattr(library, call)
        function.restype, function.argtypes = result, tuple(arguments)
    return library
