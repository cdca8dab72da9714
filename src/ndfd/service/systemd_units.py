"""What systemd says of a unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ndfd.service.machine import Machine

_KEYS = (
    *("LoadState", "ActiveState", "SubState", "UnitFileState", "FragmentPath", "DropInPaths", "NeedDaemonReload"),
    *("ActiveEnterTimestamp", "ActiveEnterTimestampMonotonic", "MainPID", "StatusText", "NRestarts", "InvocationID"),
    *("Result", "ExecMainCode", "ExecMainStatus", "ConditionResult", "Listen"),
)
_RUNS = frozenset({"active", "reloading", "refreshing"})


@dataclass(frozen=True, slots=True)
class Unit:
    """The properties of one unit (org.freedesktop.systemd1(5)), as `systemctl show` prints them."""

    name: str
    properties: Mapping[str, str]

    def __getitem__(self, key: str) -> str:
        """Empty where there is none of the name."""
        return self.properties.get(key, "")

    def number(self, key: str) -> int | None:
        """None where it is no number."""
        return int(self[key]) if self[key].isdecimal() else None

    @property
    def loaded(self) -> bool:
        """Whether systemd has its file."""
        return self["LoadState"] == "loaded"

    @property
    def active(self) -> bool:
        """Whether it runs."""
        return self["ActiveState"] in _RUNS

    @property
    def enabled(self) -> bool:
        """Whether it is started with the machine."""
        return self["UnitFileState"] in {"enabled", "enabled-runtime"}

    @property
    def state(self) -> str:
        """ "active (running)", "not installed"."""
        if not self.loaded:
            return {"masked": "masked", "bad-setting": "wrong unit file"}.get(self["LoadState"], "not installed")
        return f"{self['ActiveState']} ({self['SubState']})"


def shown(machine: Machine, systemctl: tuple[str, ...], name: str) -> Unit:
    """A unit, whether there is one of the name or not."""
    return Unit(name, parsed(machine.ask(*systemctl, "show", f"--property={','.join(_KEYS)}", name)))


def parsed(said: str) -> dict[str, str]:
    """`KEY=value` by line; what a key has several lines of is joined by lines."""
    found: dict[str, str] = {}
    for line in said.splitlines():
        key, separator, value = line.partition("=")
        if separator:
            found[key] = f"{found[key]}\n{value}" if key in found else value
    return found
