"""Structures of winsvc.h, with the names of this project; the constants that go with them."""

from __future__ import annotations

import ctypes

_DWORD, _TEXT, _POINTER = ctypes.c_uint32, ctypes.c_wchar_p, ctypes.c_void_p

SERVICE_WIN32_OWN_PROCESS = 0x10
SERVICE_AUTO_START, SERVICE_DEMAND_START, SERVICE_DISABLED = 2, 3, 4
SERVICE_ERROR_NORMAL = 1
SC_MANAGER_CONNECT, SC_MANAGER_CREATE_SERVICE = 0x0001, 0x0002
#: Rights to a service, as they are asked for when it is opened.
SERVICE_QUERY_CONFIG, SERVICE_CHANGE_CONFIG, SERVICE_QUERY_STATUS = 0x0001, 0x0002, 0x0004
SERVICE_START, SERVICE_STOP, SERVICE_PAUSE_CONTINUE, SERVICE_INTERROGATE = 0x0010, 0x0020, 0x0040, 0x0080
DELETE = 0x00010000
#: What ChangeServiceConfig2 changes.
CONFIG_DESCRIPTION, CONFIG_FAILURE_ACTIONS, CONFIG_DELAYED_AUTO_START = 1, 2, 3
CONFIG_FAILURE_ACTIONS_FLAG, CONFIG_SERVICE_SID, CONFIG_REQUIRED_PRIVILEGES, CONFIG_PRESHUTDOWN = 4, 5, 6, 7
SC_ACTION_RESTART = 1
SERVICE_SID_TYPE_UNRESTRICTED = 1
SC_STATUS_PROCESS_INFO = 0


class ServiceTableEntry(ctypes.Structure):
    """SERVICE_TABLE_ENTRYW. A table ends with one of zeros."""

    _fields_ = (("name", _TEXT), ("main", _POINTER))


class StatusRecord(ctypes.Structure):
    """SERVICE_STATUS."""

    _fields_ = (
        ("kind", _DWORD),
        ("state", _DWORD),
        ("accepted", _DWORD),
        ("win32_exit", _DWORD),
        ("specific_exit", _DWORD),
        ("checkpoint", _DWORD),
        ("wait_hint_ms", _DWORD),
    )


class ProcessStatusRecord(ctypes.Structure):
    """SERVICE_STATUS_PROCESS."""

    _fields_ = (*StatusRecord._fields_, ("pid", _DWORD), ("flags", _DWORD))


class ConfigRecord(ctypes.Structure):
    """QUERY_SERVICE_CONFIGW. The texts lie behind it, in the same buffer."""

    _fields_ = (
        ("kind", _DWORD),
        ("start_type", _DWORD),
        ("error_control", _DWORD),
        ("command_line", _TEXT),
        ("load_order_group", _TEXT),
        ("tag", _DWORD),
        ("dependencies", _POINTER),
        ("account", _TEXT),
        ("display_name", _TEXT),
    )


class Action(ctypes.Structure):
    """SC_ACTION."""

    _fields_ = (("kind", ctypes.c_int32), ("delay_ms", _DWORD))


class FailureActions(ctypes.Structure):
    """SERVICE_FAILURE_ACTIONSW. The last action also stands for every failure after it."""

    _fields_ = (
        ("reset_s", _DWORD),
        ("reboot_message", _TEXT),
        ("command", _TEXT),
        ("count", _DWORD),
        ("actions", ctypes.POINTER(Action)),
    )


class Number(ctypes.Structure):
    """SERVICE_DELAYED_AUTO_START_INFO, _FAILURE_ACTIONS_FLAG, _SID_INFO, _PRESHUTDOWN_INFO: each has one number."""

    _fields_ = (("value", _DWORD),)


class Text(ctypes.Structure):
    """SERVICE_DESCRIPTIONW and SERVICE_REQUIRED_PRIVILEGES_INFOW: each points to one text."""

    _fields_ = (("value", _POINTER),)
