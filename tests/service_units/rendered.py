"""The units as they are installed: what a version of systemd does not know is said in its own words."""

from __future__ import annotations

from tests.systemd_bed import UNITS

#: Types of notify-reload are known from this version on.
RELOADS_SINCE = 253

_UNITS = ("ndfd.service", "ndfd.socket", "ndfd@.service", "ndfd@.socket", "ndfd-tune.service")
_USER_UNITS = ("user/ndfd.service", "user/ndfd.socket")


def rendered(version: int, command: str = "/usr/bin/ndfd") -> dict[str, str]:
    """The text of each unit by its path below packaging/systemd."""
    return {name: _for(version, (UNITS / name).read_text(), command) for name in (*_UNITS, *_USER_UNITS)}


def installed(version: int) -> dict[str, str]:
    """Their paths on a machine, and what lies there."""
    units = rendered(version)
    return {
        **{f"/usr/lib/systemd/system/{name}": units[name] for name in _UNITS},
        **{f"/usr/lib/systemd/{name}": units[name] for name in _USER_UNITS},
        **{f"/usr/lib/{name}": (UNITS / name).read_text() for name in ("sysusers.d/ndfd.conf", "tmpfiles.d/ndfd.conf")},
    }


def _for(version: int, unit: str, command: str) -> str:
    if version < RELOADS_SINCE:
        unit = unit.replace("Type=notify-reload\n", "Type=notify\nExecReload=/usr/bin/ndfd reload\n")
    return unit.replace("/usr/bin/ndfd", command)
