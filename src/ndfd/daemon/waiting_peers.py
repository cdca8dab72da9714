"""Those who wait at a service manager's sockets for a daemon that will not come."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from ndfd.errors import EX_CONFIG, EX_NOPERM, EX_UNAVAILABLE, EX_USAGE, NdfdError
from ndfd.platform import PassedDescriptor

#: Ends after which nobody starts a daemon again until an operator has mended something: RestartPreventExitStatus= of
#: the units names the same.
FINAL_STATUSES = (EX_USAGE, EX_UNAVAILABLE, EX_NOPERM, EX_CONFIG)

#: Connections that may wait at one socket, by the units' Backlog= and the kernel's usual bound.
_BACKLOG_MAX = 4096


class WaitingPeers:
    """Duplicates of the listening sockets among what was handed over, for the length of a block."""

    def __init__(self, passed: Iterable[PassedDescriptor]) -> None:
        self._listeners: list[socket.socket] = []
        for descriptor in passed:
            # OSError: no socket.
            with contextlib.suppress(OSError), socket.socket(fileno=socket.dup(descriptor.fd)) as sock:
                if sock.family == socket.AF_UNIX and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    self._listeners.append(sock.dup())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After an error that only an operator can mend, whoever waits is cut off.

        systemd starts a service for a connection that nobody has accepted as often as the service ends, without a
        bound: a daemon with a wrong configuration would be started for ever.
        """
        if isinstance(error, NdfdError) and error.exit_status in FINAL_STATUSES:
            for listener in self._listeners:
                _cut_off(listener)
        for listener in self._listeners:
            listener.close()


def _cut_off(listener: socket.socket) -> None:
    listener.setblocking(False)
    with contextlib.suppress(OSError):
        for _ in range(_BACKLOG_MAX):
            listener.accept()[0].close()
