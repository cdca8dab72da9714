"""What the zygote and its workers print, made records of the daemon's log.

A worker has a standard error, for the traceback of a fault. Were that the daemon's own, a worker in an attacker's
hands could write records into the log that look like the daemon's, set the title of a terminal, and fill the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os

import structlog

from ndfd.model.printable import printable

_log = structlog.get_logger(__name__)

#: Lines that are logged in each span of so many seconds; a traceback has some twenty. The rest is read and only
#: counted: a pipe that nobody reads would hold up every other worker that prints.
LINES_MAX = 200
SPAN_S = 10.0
#: Of one line.
LINE_MAX_CHARACTERS = 500

_READ_BYTES = 64 * 1024


class WorkerOutput:
    """A pipe whose writing end, `fd`, is the standard error of every zygote and worker; made within the event loop."""

    def __init__(self, pipe: tuple[int, int] | None = None) -> None:
        """`pipe` is one that there is already, taken over."""
        self._loop = asyncio.get_running_loop()
        self._reading, self.fd = pipe or os.pipe()
        os.set_blocking(self._reading, False)
        self._rest = b""
        self._span = self._loop.time()
        self._lines = self._dropped = 0
        self._loop.add_reader(self._reading, self._readable)

    def close(self) -> None:
        """Logs what is still in the pipe, once no process prints any more; further calls do nothing."""
        if self.fd < 0:
            return
        self._loop.remove_reader(self._reading)
        os.close(self.fd)
        self.fd = -1
        with contextlib.suppress(BlockingIOError):
            # Bounded, for a process that has not ended.
            for _ in range(16):
                if not self._read():
                    break
        self._take(b"\n" if self._rest else b"")
        self._tell_dropped()
        os.close(self._reading)

    def _readable(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._read()

    def _read(self) -> bool:
        data = os.read(self._reading, _READ_BYTES)
        self._take(data)
        return bool(data)

    def _take(self, data: bytes) -> None:
        if (now := self._loop.time()) - self._span >= SPAN_S:
            self._tell_dropped()
            self._span, self._lines = now, 0
        *lines, self._rest = (self._rest + data).split(b"\n")
        # A line without an end does not grow without one.
        self._rest = self._rest[-4 * LINE_MAX_CHARACTERS :]
        room = LINES_MAX - self._lines
        for line in lines[:room]:
            if line.strip():
                _log.warning("a worker printed", line=printable(line.decode(errors="replace"), LINE_MAX_CHARACTERS))
        self._lines += len(lines[:room])
        self._dropped += len(lines[room:])

    def _tell_dropped(self) -> None:
        if self._dropped:
            _log.warning("workers printed more than is logged", lines_left_out=self._dropped)
            self._dropped = 0
