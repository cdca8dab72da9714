"""Stands in for journald: takes entries on a real datagram socket and parses them as it does."""

from __future__ import annotations

import array
import os
import socket
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

from ndfd import platform

Entry = dict[str, list[str]]


class JournalDouble:
    """Listens at `path` for the length of a block, or from `open` to `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: How many of the entries came in sealed memory.
        self.in_memory = 0
        self._socket: socket.socket | None = None

    def open(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.setblocking(False)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self.path.unlink()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def entries(self) -> list[Entry]:
        """Those that have come since the last call."""
        assert self._socket is not None
        found = []
        while True:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
            except BlockingIOError:
                return found
            found.append(parsed(self._passed(ancillary) if ancillary else data))

    def messages(self) -> list[str]:
        return [entry["MESSAGE"][0] for entry in self.entries()]

    def _passed(self, ancillary: list[tuple[int, int, bytes]]) -> bytes:
        ((_, _, payload),) = ancillary
        (fd,) = array.array("i", payload)
        try:
            assert platform.is_sealed(fd)
            self.in_memory += 1
            return os.pread(fd, os.fstat(fd).st_size, 0)
        finally:
            os.close(fd)


def parsed(data: bytes) -> Entry:
    """By https://systemd.io/JOURNAL_NATIVE_PROTOCOL/, section "Data Format"."""
    entry: Entry = {}
    while data:
        line, feed, rest = data.partition(b"\n")
        assert feed == b"\n"
        name, equals, value = line.partition(b"=")
        if equals:
            data = rest
        else:
            (size,) = struct.unpack_from("<Q", rest)
            value, after = rest[8 : 8 + size], rest[8 + size :]
            assert len(value) == size
            assert after[:1] == b"\n"
            data = after[1:]
        text = name.decode("ascii")
        # journal_field_valid() of systemd: what is not so is dropped there.
        assert 0 < len(text) <= 64
        assert all(each.isupper() or each.isdigit() or each == "_" for each in text)
        assert not text[0].isdigit()
        assert not text.startswith("_")
        entry.setdefault(text, []).append(value.decode())
    return entry
