"""The receiving end of sd_notify(3): what a service manager hears, datagram by datagram."""

from __future__ import annotations

import os
import socket
from types import TracebackType
from typing import NamedTuple, Self


class Heard(NamedTuple):
    """One datagram."""

    #: By name, what its lines assign, in their order.
    lines: dict[str, str]
    #: Whoever asks for it closes them.
    fds: list[int]

    def close(self) -> None:
        """As a manager does that takes none of it."""
        for fd in self.fds:
            os.close(fd)


class Notified:
    """Bound from its making to the end of the `with` block; nothing is received before it is asked for."""

    def __init__(self, address: str) -> None:
        """`address` as $NOTIFY_SOCKET has it."""
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address[0] == "@" else address)
        self.socket.settimeout(20)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()

    def next(self) -> Heard:
        """The next one; TimeoutError when none comes."""
        data, fds, flags, _ = socket.recv_fds(self.socket, 65536, 253)
        assert not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
        pairs = (line.partition("=") for line in data.decode().split("\n"))
        return Heard({name: value for name, _, value in pairs}, fds)

    def is_silent(self) -> bool:
        """Whether nothing waits to be received."""
        self.socket.setblocking(False)
        try:
            self.next().close()
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            self.socket.settimeout(20)
