"""The keys of launchd.plist(5) as its manual page of macOS 14 has them, each with the type that it takes there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]


class ArrayOf:
    """Of values of one type."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


class DictionaryOf:
    """With any keys, and values of one type."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


class OneOf:
    """Of some values, or of some types."""

    def __init__(self, *kinds: Any) -> None:
        self.kinds = kinds


STRINGS = ArrayOf(str)

SOCKET: Schema = {
    "SockType": OneOf("stream", "dgram", "seqpacket"),
    "SockPassive": bool,
    "SockNodeName": str,
    "SockServiceName": OneOf(str, int),
    "SockFamily": OneOf("IPv4", "IPv6", "IPv4v6", "Unix"),
    "SockProtocol": OneOf("TCP", "UDP"),
    "SockPathName": str,
    "SecureSocketWithKey": str,
    "SockPathOwner": int,
    "SockPathGroup": int,
    "SockPathMode": int,
    "Bonjour": OneOf(bool, str, STRINGS),
    "MulticastGroup": str,
}

LIMITS: Schema = dict.fromkeys(
    (
        *("Core", "CPU", "Data", "FileSize", "MemoryLock", "NumberOfFiles", "NumberOfProcesses"),
        *("ResidentSetSize", "Stack"),
    ),
    int,
)

CALENDAR: Schema = dict.fromkeys(("Minute", "Hour", "Day", "Weekday", "Month"), int)

PLIST: Schema = {
    "Label": str,
    "Disabled": bool,
    "UserName": str,
    "GroupName": str,
    "inetdCompatibility": {"Wait": bool},
    "LimitLoadToHosts": STRINGS,
    "LimitLoadFromHosts": STRINGS,
    "LimitLoadToSessionType": OneOf(str, STRINGS),
    "LimitLoadToHardware": DictionaryOf(STRINGS),
    "LimitLoadFromHardware": DictionaryOf(STRINGS),
    "Program": str,
    "BundleProgram": str,
    "ProgramArguments": STRINGS,
    "EnableGlobbing": bool,
    "EnableTransactions": bool,
    "EnablePressuredExit": bool,
    "OnDemand": bool,
    "ServiceIPC": bool,
    "KeepAlive": OneOf(
        bool,
        {
            "SuccessfulExit": bool,
            "NetworkState": bool,
            "PathState": DictionaryOf(bool),
            "OtherJobEnabled": DictionaryOf(bool),
            "Crashed": bool,
        },
    ),
    "RunAtLoad": bool,
    "RootDirectory": str,
    "WorkingDirectory": str,
    "EnvironmentVariables": DictionaryOf(str),
    "Umask": OneOf(int, str),
    "TimeOut": int,
    "ExitTimeOut": int,
    "ThrottleInterval": int,
    "InitGroups": bool,
    "WatchPaths": STRINGS,
    "QueueDirectories": STRINGS,
    "StartOnMount": bool,
    "StartInterval": int,
    "StartCalendarInterval": OneOf(CALENDAR, ArrayOf(CALENDAR)),
    "StandardInPath": str,
    "StandardOutPath": str,
    "StandardErrorPath": str,
    "Debug": bool,
    "WaitForDebugger": bool,
    "SoftResourceLimits": LIMITS,
    "HardResourceLimits": LIMITS,
    "Nice": int,
    "ProcessType": OneOf("Background", "Standard", "Adaptive", "Interactive"),
    "AbandonProcessGroup": bool,
    "LowPriorityIO": bool,
    "LowPriorityBackgroundIO": bool,
    "MaterializeDatalessFiles": bool,
    "LaunchOnlyOnce": bool,
    "MachServices": DictionaryOf(OneOf(bool, {"ResetAtClose": bool, "HideUntilCheckIn": bool})),
    "Sockets": DictionaryOf(OneOf(SOCKET, ArrayOf(SOCKET))),
    "LaunchEvents": DictionaryOf(DictionaryOf(dict)),
    "HopefullyExitsLast": bool,
    "HopefullyExitsFirst": bool,
    "SessionCreate": bool,
    "LegacyTimers": bool,
    "AssociatedBundleIdentifiers": OneOf(str, STRINGS),
}

REQUIRED = ("Label", "ProgramArguments")


def mistakes(value: Any, kind: Any = PLIST, where: str = "") -> Iterator[str]:
    """Each key that is not documented, and each value of another type."""
    if isinstance(kind, OneOf):
        if not any(not list(mistakes(value, each, where)) for each in kind.kinds):
            yield f"{where}: {value!r} is none of what it takes"
    elif isinstance(kind, ArrayOf):
        if isinstance(value, list):
            for at, each in enumerate(value):
                yield from mistakes(each, kind.kind, f"{where}[{at}]")
        else:
            yield f"{where}: {value!r} is no array"
    elif isinstance(kind, DictionaryOf | Mapping):
        yield from _of_dictionary(value, kind, where)
    elif isinstance(kind, type):
        # True is an int to Python, and none to launchd.
        if type(value) is not kind:
            yield f"{where}: {value!r} is no {kind.__name__}"
    elif value != kind:
        yield f"{where}: {value!r} is not {kind!r}"


def _of_dictionary(value: Any, kind: DictionaryOf | Schema, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no dictionary"
        return
    for key, each in value.items():
        if isinstance(kind, Mapping) and key not in kind:
            yield f"{where}/{key}: there is no such key"
        else:
            yield from mistakes(each, kind.kind if isinstance(kind, DictionaryOf) else kind[key], f"{where}/{key}")
