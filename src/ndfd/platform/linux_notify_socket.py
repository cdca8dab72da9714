"""The socket to which a service tells its manager how it is (sd_notify(3)): one datagram for each message."""

from __future__ import annotations

import array
import contextlib
import errno
import os
import select
import socket
import struct
import threading
import weakref
from collections import deque
from collections.abc import Sequence

#: The manager's queue is full: net.unix.max_dgram_qlen messages fit, 10 unless systemd has raised it; or too many
#: descriptors of this user are on their way (unix(7)).
_NO_ROOM = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS})
#: sun_path of unix(7), less its NUL.
_PATH_MAX_BYTES = 107
#: struct timeval, for SO_SNDTIMEO of socket(7).
_TIMEVAL = struct.Struct("ll")


class NotifySocket:
    """Messages arrive in the order in which they were told. A manager that has gone is told nothing, without error."""

    def __init__(self, address: str) -> None:
        """`address` as in $NOTIFY_SOCKET; `ValueError` says why it is of no use."""
        if address[:1] not in ("/", "@"):
            raise ValueError("it is neither a path nor an abstract name (@…)")
        if len(os.fsencode(address)) > _PATH_MAX_BYTES:
            raise ValueError("it is too long for a local socket")
        self._address = f"\0{address[1:]}" if address[0] == "@" else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        weakref.finalize(self, self._socket.close)
        #: Connected, for only so does the kernel say whether there is room; empty when nobody listens.
        self._probe = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        weakref.finalize(self, self._probe.close)
        self._room = select.poll()
        with contextlib.suppress(OSError):
            self._probe.connect(self._address)
            self._room.register(self._probe, select.POLLOUT)
        #: Found no room, and are sent by a thread of their own as soon as there is.
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()

    def has_room(self) -> bool:
        """Whether a message that was offered now would be sent."""
        return not self._waiting and bool(self._room.poll(0))

    def offer(self, message: str, fds: Sequence[int] = ()) -> bool:
        """Sends it if there is room now; False, and nothing was sent, when not. Never waits."""
        with self._changed:
            return not self._waiting and self._send(self._socket, message.encode(), fds) not in _NO_ROOM

    def tell(self, message: str) -> None:
        """Sends it now, or as soon as there is room. Never waits."""
        data = message.encode()
        with self._changed:
            if not self._waiting and self._send(self._socket, data) not in _NO_ROOM:
                return
            self._waiting.append(data)
            if len(self._waiting) == 1:
                threading.Thread(target=self._send_waiting, name="ndfd-notify", daemon=True).start()

    def send(self, message: str, fds: Sequence[int], timeout_s: float) -> bool:
        """Waits until it, and all that was told before it, are sent; False when they are not in time, or to nobody."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._waiting, timeout_s):
                return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as patient:
            microseconds = max(1, int(timeout_s * 1_000_000))
            patient.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(*divmod(microseconds, 1_000_000)))
            return self._send(patient, message.encode(), fds) == 0

    def _send_waiting(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as patient:
            while True:
                # It stays there meanwhile, so that whatever is told now comes behind it.
                self._send(patient, self._waiting[0])
                with self._changed:
                    self._waiting.popleft()
                    if not self._waiting:
                        self._changed.notify_all()
                        return

    def _send(self, through: socket.socket, data: bytes, fds: Sequence[int] = ()) -> int:
        """errno; 0 when it was sent."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            through.sendmsg([data], rights, 0, self._address)
        except OSError as error:
            return error.errno or errno.EIO
        return 0
