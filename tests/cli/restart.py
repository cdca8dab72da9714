"""A daemon that goes away and comes back, as its clients see it: its jobs are still there."""

from __future__ import annotations

from ndfd.protocol.varlink_interfaces import INTERFACES, ServiceInfo
from ndfd.server.varlink_door import VarlinkDoor
from tests.server.doors import Doors, listening


def restart(doors: Doors) -> None:
    """All connections break, and nobody answers for a moment."""
    doors.run(doors.varlink.stop(0))
    doors.varlink_path.unlink(missing_ok=True)
    doors.varlink = VarlinkDoor(doors.serving, ServiceInfo("The ndfd project", "ndfd", "0.1.0", "", INTERFACES))
    doors.run(_listen(doors))


async def _listen(doors: Doors) -> None:
    doors.varlink.start(listening(doors.varlink_path))
