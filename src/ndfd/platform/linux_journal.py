"""Linux: systemd's journal, by its native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/)."""

from __future__ import annotations

import array
import contextlib
import errno
import os
import socket
import struct
import threading
from collections.abc import Mapping
from pathlib import Path

from ndfd.platform.journal import Journal
from ndfd.platform.linux import Linux

_SOCKET = Path("/run/systemd/journal/socket")
#: As much as a sender should have waiting there before it has to wait itself; the kernel gives net.core.wmem_max of it.
_BUFFER_BYTES = 8 * 1024 * 1024
_WAIT_S = 0.05
#: struct timeval.
_TIMEVAL = struct.Struct("ll")
#: The kernel's words for an entry that is too large for a datagram.
_TOO_LARGE = frozenset({errno.EMSGSIZE, errno.ENOBUFS})


class LinuxJournal(Journal):
    """A datagram for each entry, or an empty one with a sealed memfd."""

    known = True

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or _SOCKET
        self._opening = threading.Lock()
        self._socket: socket.socket | None = None

    def is_there(self) -> bool:
        """By the file of the socket, which systemd itself holds open while the journal restarts."""
        try:
            return self._path.is_socket()
        except OSError:
            return False

    def is_behind(self, fd: int, environment: Mapping[str, str]) -> bool:
        """$JOURNAL_STREAM is the device and the inode of the stream (systemd.exec(5)), and stderr may be redirected."""
        device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
        try:
            status = os.fstat(fd)
        except OSError:
            return False
        return (device, inode) == (str(status.st_dev), str(status.st_ino))

    def send(self, entry: bytes, *, wait: bool) -> None:
        """Addressed anew each time: so a journal whose socket was replaced is found again."""
        flags = 0 if wait else socket.MSG_DONTWAIT
        sender = self._open()
        try:
            sender.sendto(entry, flags, os.fspath(self._path))
        except OSError as error:
            if error.errno not in _TOO_LARGE:
                raise
        else:
            return
        memfd = Linux().sealed_memfd("ndfd-journal-entry", entry)
        try:
            passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [memfd]))]
            sender.sendmsg([], passed, flags, os.fspath(self._path))
        finally:
            os.close(memfd)

    def close(self) -> None:
        """The socket."""
        with self._opening:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def _open(self) -> socket.socket:
        with self._opening:
            if self._socket is None:
                made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                with contextlib.suppress(OSError):
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
                made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(0, int(_WAIT_S * 1e6)))
                self._socket = made
            return self._socket
