"""A pipe through which whole answers go, so that after SIGKILL it can be said whether one was sent.

send(2) leaves no trace with the sender: a process that is killed around it cannot tell the next one whether the peer
has the answer. splice(2) takes the bytes out of a pipe and gives them to the socket in one system call, in whose midst
no process is killed; the pipe outlives the process with the service manager, and is empty if the answer was sent.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Sequence

#: A pipe's capacity (pipe(7)). More is not sent this way.
ANSWER_MAX_BYTES = 64 * 1024


class Outbox:
    """Empty but for the length of one answer's sending; all connections of a process have the same one."""

    def __init__(self, fds: Sequence[int] = ()) -> None:
        """`fds` are both ends of a former daemon's, in any order, which this one takes over; none makes a new pipe."""
        self.fds = tuple(fds) or os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        by_mode = {fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE: fd for fd in self.fds}
        self._read_fd, self._write_fd = by_mode[os.O_RDONLY], by_mode[os.O_WRONLY]

    @property
    def waiting_bytes(self) -> int:
        """What was put in and not sent."""
        (size,) = struct.unpack("i", fcntl.ioctl(self._read_fd, termios.FIONREAD, bytes(4)))
        return int(size)

    def put(self, data: bytes | memoryview) -> bool:
        """Puts an answer in; False, with nothing in it, when there is no room."""
        try:
            if os.write(self._write_fd, data) == len(data):
                return True
        except BlockingIOError:
            pass
        self.empty()
        return False

    def send(self, sock: socket.socket, size_bytes: int) -> int:
        """Has what is in it sent as far as the socket takes it at once, and gives how much that was.

        0 as well where the peer has gone, or the system call is not allowed: send(2) is to be tried then.
        """
        try:
            return os.splice(self._read_fd, sock.fileno(), size_bytes)
        except OSError:
            return 0

    def empty(self) -> None:
        """Drops what is in it."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._read_fd, ANSWER_MAX_BYTES):
                pass
