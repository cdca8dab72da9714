"""The standard error as a log: for a terminal, a file, or a service manager that reads it line by line."""

from __future__ import annotations

import logging
import select
import sys
from typing import TextIO

from ndfd.telemetry.journal import priority
from ndfd.telemetry.notice import notice


class Stderr(logging.StreamHandler[TextIO]):
    """Its `close` leaves the stream open, as every StreamHandler's does."""

    def __init__(self, stream: TextIO, *, captured: bool) -> None:
        """`captured`: systemd reads it. Each line then begins with its priority (sd-daemon(3))."""
        super().__init__(stream)
        self._captured = captured
        #: Records for which a captured stream had no room, since the last for which it had.
        self._lost = 0

    def format(self, record: logging.LogRecord) -> str:
        """As the formatter has it."""
        text = super().format(record)
        if not self._captured:
            return text
        return "\n".join(f"<{priority(record.levelno)}>{line}" for line in text.splitlines())

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record. A captured stream without room gets none: whoever logs does not wait for who reads it."""
        if self._captured and not self._has_room():
            self._lost += 1
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            super().emit(notice(f"{lost} records before this one are lost: nobody read the standard error"))
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """A stderr that takes nothing leaves no place to say so: logging would print a traceback to it each time."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)

    def _has_room(self) -> bool:
        """A Unix socket says so while three quarters of its buffer are free: some 150 kB, more than a record has."""
        poll = select.poll()
        poll.register(self.stream.fileno(), select.POLLOUT)
        return bool(poll.poll(0))
