"""A Varlink peer without manners: sends any bytes with any descriptors, and reads what comes back."""

from __future__ import annotations

import array
import json
import os
import socket
from typing import Any

from tests.server.doors import Doors


class Peer:
    """A raw connection to the Varlink door."""

    def __init__(self, doors: Doors) -> None:
        self.sock = doors.connect()
        self._data = b""
        self.descriptors: list[int] = []

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()
        for fd in self.descriptors:
            os.close(fd)

    def send(self, message: dict[str, Any] | bytes, *descriptors: int) -> None:
        data = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\0"
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        if rest := data[self.sock.sendmsg([data], ancillary) :]:
            self.sock.sendall(rest)

    def reply(self) -> dict[str, Any]:
        """The next reply; AssertionError at the end of the stream."""
        reply = json.loads(self.raw_reply())
        assert isinstance(reply, dict)
        return reply

    def raw_reply(self) -> bytes:
        """The next reply as it came, without its NUL."""
        while b"\0" not in self._data:
            data, descriptors, _, _ = socket.recv_fds(self.sock, 65536, 16)
            assert data, f"the door closed, with {self._data!r} left"
            self._data += data
            self.descriptors += descriptors
        message, _, self._data = self._data.partition(b"\0")
        return message

    def ask(
        self,
        method: str,
        parameters: dict[str, Any] | None = None,
        *descriptors: int,
        **flags: bool,
    ) -> dict[str, Any]:
        """Sends a call and gives its first reply."""
        self.send({"method": method, "parameters": parameters or {}, **flags}, *descriptors)
        return self.reply()

    def is_closed(self) -> bool:
        """Whether the door has closed the connection; waits for it to do one thing or the other."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


CONVERT = "io.ndfd.Documents.Convert"
GET_STATUS = "io.ndfd.Service.GetStatus"


def document(content: bytes = b"a document") -> int:
    """A memfd; the caller closes it."""
    fd = os.memfd_create("test")
    os.write(fd, content)
    return fd
