r"""The event log of Windows: a source of ndfd's own in the log "Application", and what is written under its name.

A source needs a file with its messages, or the viewer puts "the description cannot be found" before each. Here it is
%SystemRoot%\System32\EventCreate.exe, which every Windows has had since XP: its messages 1 to 1000 are "%1" each, that
is, the text as it was handed over. A DLL of our own would say no more, and would have to be built and kept.

Run under Wine 10, whose event log keeps nothing; what the viewer of Windows shows has not been seen.
"""

from __future__ import annotations

import ctypes
import importlib
from typing import Any

from ndfd.platform.windows_calls import advapi32
from ndfd.platform.windows_service_course import Event

_SOURCES = r"SYSTEM\CurrentControlSet\Services\EventLog\Application"
MESSAGE_FILE = r"%SystemRoot%\System32\EventCreate.exe"
#: EVENTLOG_ERROR_TYPE, WARNING and INFORMATION.
TYPES_SUPPORTED = 7


class EventLog:
    """Writes events as one source. What cannot be written is lost in silence: a full log ends no service."""

    def __init__(self, source: str) -> None:
        self._advapi = advapi32()
        self._handle = self._advapi.RegisterEventSourceW(None, source)

    def write(self, event: Event, text: str) -> None:
        """One event, of the severity that its number says."""
        if self._handle:
            texts = (ctypes.c_wchar_p * 1)(text)
            self._advapi.ReportEventW(self._handle, event.severity, 0, event, None, 1, 0, texts, None)

    def close(self) -> None:
        """Nothing may follow."""
        if self._handle:
            self._advapi.DeregisterEventSource(self._handle)
            self._handle = None


def register_event_source(name: str) -> None:
    """Makes the source; one that is there is set right. Asks for the rights of an administrator."""
    registry: Any = importlib.import_module("winreg")
    with registry.CreateKeyEx(registry.HKEY_LOCAL_MACHINE, rf"{_SOURCES}\{name}", 0, registry.KEY_SET_VALUE) as key:
        registry.SetValueEx(key, "EventMessageFile", 0, registry.REG_EXPAND_SZ, MESSAGE_FILE)
        registry.SetValueEx(key, "TypesSupported", 0, registry.REG_DWORD, TYPES_SUPPORTED)


def remove_event_source(name: str) -> None:
    """Removes the source, if there is one. What was written stays in the log."""
    registry: Any = importlib.import_module("winreg")
    try:
        registry.DeleteKey(registry.HKEY_LOCAL_MACHINE, rf"{_SOURCES}\{name}")
    except FileNotFoundError:
        return
