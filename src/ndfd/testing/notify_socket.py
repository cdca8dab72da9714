"""The socket on which a service manager hears its services, as systemd's: sd_notify(3)."""

from __future__ import annotations

import array
import os
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: systemd's NOTIFY_BUFFER_MAX; a longer message is not taken.
_MESSAGE_MAX_BYTES = 4096
#: SCM_MAX_FD of unix(7).
_FDS_MAX = 253
#: struct ucred: pid, uid, gid.
_CREDENTIALS = struct.Struct("3i")
#: Every user may tell something; who is heard is seen by the sender's process.
_MODE = 0o777


@dataclass(frozen=True, slots=True)
class Message:
    """What a process told."""

    #: When it was heard: `time.monotonic`.
    at_s: float
    #: Of the sender, as the kernel says.
    pid: int
    #: Its assignments; of two with one name, the last.
    fields: Mapping[str, str]
    #: How many descriptors came with it.
    descriptors: int = 0


class NotifySocket:
    """Bound in a folder; removed by `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.setblocking(False)
        path.unlink(missing_ok=True)
        self._socket.bind(str(path))
        path.chmod(_MODE)

    def fileno(self) -> int:
        """To wait on."""
        return self._socket.fileno()

    def receive(self) -> tuple[Message, list[int]] | None:
        """The next message and its descriptors, which are the caller's to close; None when there is none now."""
        while True:
            room = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(_FDS_MAX * array.array("i").itemsize)
            try:
                data, ancillary, flags, _ = self._socket.recvmsg(_MESSAGE_MAX_BYTES, room, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return None
            pid, fds = _told_by_kernel(ancillary)
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                close_all(fds)
                continue
            lines = data.decode(errors="replace").split("\n")
            fields = {name: value for name, equals, value in (line.partition("=") for line in lines) if equals}
            return Message(time.monotonic(), pid, fields, len(fds)), fds

    def close(self) -> None:
        """Hears nothing more."""
        self._socket.close()
        self.path.unlink(missing_ok=True)


def close_all(fds: list[int]) -> None:
    """Closes them."""
    for fd in fds:
        os.close(fd)


def _told_by_kernel(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, list[int]]:
    pid, fds = 0, array.array("i")
    for level, kind, data in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_CREDENTIALS:
            pid, _, _ = _CREDENTIALS.unpack(data)
        elif kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return pid, list(fds)
