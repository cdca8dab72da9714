"""A file system of our own making, with one file, that answers only when it is let (FUSE 7.31, linux/fuse.h)."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

_HEAD = struct.Struct("=IIQQIIII")
_FORGET, _GETATTR, _READ, _FLUSH = 2, 3, 15, 25
_FILE_NODE = 2

_libc = ctypes.CDLL(None, use_errno=True)


class SlowFileSystem:
    """Holds `content` as the file `document.pdf`; its size, reads and closes wait until `answers` is set."""

    def __init__(self, place: Path, content: bytes) -> None:
        self.path = place / "document.pdf"
        self.answers = threading.Event()
        self.answers.set()
        self._content = content
        self._fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self._fd},rootmode=40000,user_id=0,group_id=0,allow_other"
        if _libc.mount(b"slow", bytes(place), b"fuse.slow", 0, options.encode()) != 0:
            code = ctypes.get_errno()
            os.close(self._fd)
            raise OSError(code, os.strerror(code))
        self._place = place
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(4)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Whatever still waits is answered; then it is unmounted."""
        self.answers.set()
        _libc.umount2(bytes(self._place), 2)
        for thread in self._threads:
            thread.join(10)
        os.close(self._fd)

    def _serve(self) -> None:
        while True:
            try:
                request = os.read(self._fd, 1 << 20)
            except OSError:
                return
            _, operation, unique, node, *_ = _HEAD.unpack_from(request)
            if operation in (_GETATTR, _READ, _FLUSH) and node == _FILE_NODE:
                self.answers.wait()
            if operation != _FORGET:
                error, answer = self._answer(operation, node, request[_HEAD.size :])
                with contextlib.suppress(OSError):
                    os.write(self._fd, struct.pack("=IiQ", 16 + len(answer), -error, unique) + answer)

    def _answer(self, operation: int, node: int, body: bytes) -> tuple[int, bytes]:
        match operation:
            case 26:  # INIT
                return 0, struct.pack("=IIIIHHIIHHI28x", 7, 31, 65536, 0, 16, 12, 131072, 1, 0, 0, 0)
            case 1:  # LOOKUP
                if body.rstrip(b"\0") != self.path.name.encode():
                    return errno.ENOENT, b""
                return 0, struct.pack("=QQQQII", _FILE_NODE, 0, 60, 0, 0, 0) + self._attributes(_FILE_NODE)
            case 3:  # GETATTR
                return 0, struct.pack("=QII", 0, 0, 0) + self._attributes(node)
            case 14:  # OPEN
                # FOPEN_DIRECT_IO: each read is asked for.
                return 0, struct.pack("=QII", 1, 1, 0)
            case 15:  # READ
                _, offset, size = struct.unpack_from("=QQI", body)
                return 0, self._content[offset : offset + size]
            case 18 | 25:  # RELEASE, FLUSH
                return 0, b""
        return errno.ENOSYS, b""

    def _attributes(self, node: int) -> bytes:
        mode, size = (stat.S_IFREG | 0o644, len(self._content)) if node == _FILE_NODE else (stat.S_IFDIR | 0o755, 0)
        return struct.pack("=6Q3I7I", node, size, 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


@contextlib.contextmanager
def slow_file_system(place: Path, content: bytes) -> Iterator[SlowFileSystem]:
    """Mounted for the length of the block; OSError where that cannot be done (root, /dev/fuse)."""
    place.mkdir()
    mounted = SlowFileSystem(place, content)
    try:
        yield mounted
    finally:
        mounted.close()
