"""The manager of services that this system has."""

from __future__ import annotations

from ndfd import platform
from ndfd.errors import NotSupported
from ndfd.service.launchd import Launchd
from ndfd.service.machine import Machine
from ndfd.service.manager import Manager
from ndfd.service.systemd import Systemd
from ndfd.service.windows import WindowsServices


def manager_of(machine: Machine, *, user: bool, instance: str | None) -> Manager:
    """The machine's, or a user's; `NotSupported` where ndfd knows none."""
    match platform.INIT_SYSTEM:
        case "systemd":
            return Systemd(machine, user=user, instance=instance)
        case "launchd":
            return Launchd(machine, user=user, instance=instance)
        case "scm":
            return WindowsServices(machine, user=user, instance=instance)
        case _:
            raise NotSupported(
                "ndfd knows no manager of services on this system", hint="run the daemon with `ndfd run`"
            )
