"""macOS: local sockets, who calls, fonts. There is no way yet to run workers.

Not run on this platform: written from its manual pages, and nothing here has been executed on it. It has neither
SOCK_SEQPACKET for local sockets nor sealed memory nor descriptors on processes, so a pool refuses to start, by name.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from ndfd.platform.base import Peer, Platform, WorkerLimits
from ndfd.platform.darwin_service import LaunchdManager
from ndfd.platform.folders import ConfigDirs, SocketDirs, StateDirs
from ndfd.platform.service_manager import ServiceManager

# sys/un.h
_SOL_LOCAL = 0
_LOCAL_PEERCRED = 1
_LOCAL_PEERPID = 2

#: struct xucred of sys/ucred.h: version, uid, number of groups, padding, 16 groups.
_XUCRED = struct.Struct("IIh2x16I")


class Darwin(Platform):
    """The answers of macOS."""

    name = "macOS"

    def socket_dirs(self, environment: Mapping[str, str]) -> SocketDirs:
        """run in ndfd's Application Support folder; and ndfd-UID in $TMPDIR, which is a folder of the user's own there.

        Not /var/run: macOS empties it at each start, and launchd makes no folder for a socket of a job.
        """
        user = Path(environment.get("TMPDIR") or "/tmp", f"ndfd-{os.geteuid()}")  # noqa: S108
        return SocketDirs(Path("/Library/Application Support/ndfd/run"), user)

    def config_dirs(self, environment: Mapping[str, str], home: Path | None) -> ConfigDirs:
        """ndfd in the Application Support folders of the machine and of the user."""
        support = Path("Library/Application Support/ndfd")
        return ConfigDirs("/" / support, None if home is None else home / support)

    def state_dirs(self, environment: Mapping[str, str], home: Path | None) -> StateDirs:
        """ndfd/state in the Application Support folders of the machine and of the user."""
        support = Path("Library/Application Support/ndfd/state")
        return StateDirs("/" / support, None if home is None else home / support)

    def is_system_service(self, environment: Mapping[str, str]) -> bool:
        """launchd, process 1, started it. It starts a user's agents as well: those are told `--no-service`."""
        return os.getppid() == 1

    def service_manager(self, environment: Mapping[str, str]) -> ServiceManager:
        """launchd, when it started this process: XPC_SERVICE_NAME is the job's label then, or 0 in a terminal."""
        if environment.get("XPC_SERVICE_NAME", "0") == "0":
            return ServiceManager()
        return LaunchdManager()

    def font_roots(self, home: Path | None) -> tuple[Path, ...]:
        """As Font Book names them."""
        shared = (Path("/System/Library/Fonts"), Path("/Library/Fonts"))
        return shared if home is None else (*shared, home / "Library/Fonts")

    def peer_identity(self, connection: socket.socket) -> Peer:
        """LOCAL_PEERCRED and LOCAL_PEERPID of unix(4)."""
        credentials = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED.size)
        _version, uid, _count, gid, *_ = _XUCRED.unpack(credentials)
        return Peer(uid, gid, connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID))

    def confine_worker(self, limits: WorkerLimits) -> tuple[str, ...]:
        """A sandbox profile, limits, no debugger. What comes of it cannot be measured yet, so no pool starts by it."""
        # Not at the top: it loads a library of macOS.
        from ndfd.platform import darwin_sandbox

        return darwin_sandbox.confine(limits)
