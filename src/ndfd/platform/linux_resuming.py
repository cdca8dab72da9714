"""What another process asks when it goes on with a connection that one was killed on.

sendmmsg(2) writes how many bytes were sent into the memory of its caller, within the call (__sys_sendmmsg in
net/socket.c). SIGKILL takes effect when a call returns, so what is in that memory is true in every moment, and it
outlives the process when it is shared. How much was consumed of what a process looked at, SO_PEEK_OFF of the socket
tells (Linux 3.4).
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Sequence

from ndfd.platform import base_resuming, linux_syscalls

#: include/uapi/asm-generic/socket.h, which Python does not name.
_SO_PEEK_OFF = 42
#: Longer messages are seldom sent at once: half of what a Unix socket's buffer has by default (net.core.wmem_default).
_SENT_MAX_BYTES = 96 * 1024
#: SCM_MAX_FD.
_DESCRIPTORS_MAX = 253
_UNSENT = 0xFFFFFFFF

_libc = ctypes.CDLL(None, use_errno=True)


class _Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vectors_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _NotedMessage(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("message", _Message), ("sent_bytes", ctypes.c_uint32))


class NotedSender(base_resuming.NotedSender):
    """sendmmsg(2)."""

    NOTE_BYTES = ctypes.sizeof(_NotedMessage)

    def __init__(self, note: memoryview) -> None:
        machine = linux_syscalls.this_machine()
        self._number = None if machine is None else ctypes.c_long(machine.numbers["sendmmsg"])
        self._note = _NotedMessage.from_buffer(note)
        self._message = self._note.message
        self._data = ctypes.create_string_buffer(_SENT_MAX_BYTES)
        self._vector = _Vector(ctypes.addressof(self._data), 0)
        self._message.name, self._message.name_length, self._message.flags = None, 0, 0
        self._message.vectors, self._message.vectors_length = ctypes.addressof(self._vector), 1
        self._control = ctypes.create_string_buffer(socket.CMSG_SPACE(_DESCRIPTORS_MAX * 4))
        self._one, self._flags = ctypes.c_uint(1), ctypes.c_int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        self._reference = ctypes.byref(self._note)

    @property
    def sent_bytes(self) -> int:
        sent_bytes = int(self._note.sent_bytes)
        return 0 if sent_bytes == _UNSENT else sent_bytes

    def takes(self, data_bytes: int) -> bool:
        return self._number is not None and 0 < data_bytes <= _SENT_MAX_BYTES

    def prepare(self, data: bytes, descriptors: Sequence[int]) -> None:
        self._note.sent_bytes = _UNSENT
        ctypes.memmove(self._data, data, len(data))
        self._vector.length = len(data)
        self._message.control, self._message.control_length = None, 0
        if descriptors:
            payload = struct.pack(f"{len(descriptors)}i", *descriptors)
            header = struct.pack("Nii", socket.CMSG_LEN(len(payload)), socket.SOL_SOCKET, socket.SCM_RIGHTS)
            ctypes.memmove(self._control, header + payload, len(header + payload))
            self._message.control = ctypes.addressof(self._control)
            self._message.control_length = socket.CMSG_SPACE(len(payload))

    def send(self, sock: socket.socket) -> int:
        if _libc.syscall(self._number, ctypes.c_int(sock.fileno()), self._reference, self._one, self._flags) < 0:
            number = ctypes.get_errno()
            if number != errno.EAGAIN:
                raise OSError(number, os.strerror(number))
        return self.sent_bytes


class LinuxResuming(base_resuming.Resuming):
    """Options of socket(7)."""

    def prepare_peeking(self, connection: socket.socket) -> None:
        """SO_PEEK_OFF, SO_OOBINLINE."""
        connection.setsockopt(socket.SOL_SOCKET, _SO_PEEK_OFF, 0)
        # An urgent byte at the front would make the socket readable, while MSG_PEEK finds nothing there.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)

    def peeked_bytes(self, connection: socket.socket) -> int:
        """SO_PEEK_OFF."""
        return connection.getsockopt(socket.SOL_SOCKET, _SO_PEEK_OFF)
