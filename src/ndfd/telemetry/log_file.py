"""A log file that is rotated by its size, and that no fault of the disk can turn against the daemon."""

from __future__ import annotations

import contextlib
import io
import logging
import logging.handlers
import os
import stat
import sys
from pathlib import Path

from ndfd.errors import ConfigError
from ndfd.telemetry.notice import notice

#: Whatever the umask: the daemon's group may read the log, others may not, since it names documents.
_MODE = 0o640


class LogFile(logging.handlers.RotatingFileHandler):
    """Appends to a file.

    What cannot be written there goes to `fallback`, after one line that says why. Each further record is tried in the
    file first, so the log is back there as soon as there is room again.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep: int, fallback: logging.Handler) -> None:
        """`max_bytes` 0: never rotated. `ConfigError` when the file cannot be opened, or not be rotated later."""
        self._fallback = fallback
        #: Records that went to `fallback` since the last one that could be written.
        self._missed = 0
        try:
            super().__init__(path, maxBytes=max_bytes, backupCount=keep, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise ConfigError(f"[logging] output: {path} cannot be opened: {error.strerror}") from error
        if max_bytes and not os.access(path.parent, os.W_OK | os.X_OK):
            self.close()
            raise ConfigError(
                f"[logging] output: {path} cannot be rotated: its folder is not writable",
                hint='make the folder writable, or set [logging] rotate_size = "never"',
            )

    def take_over(self, former: LogFile) -> None:
        """Goes on with the file that `former` has open, if it still is the one at this path.

        `former` may have rotated it since this one opened it. No record may come to either meanwhile; close `former`
        after it.
        """
        if former.baseFilename == self.baseFilename and former.is_in_place():
            self.stream, former.stream = former.stream, self.stream

    def reopen(self) -> OSError | None:
        """Opens the file at the path anew and closes the former; the error that kept it from that, which changes
        nothing. No record may come meanwhile."""
        try:
            opened = self._open()
        except OSError as error:
            return error
        former, self.stream = self.stream, opened
        if former is not None:
            with contextlib.suppress(OSError):
                former.close()
        return None

    def is_in_place(self) -> bool:
        """Whether its open file is the one at the path: not when somebody moved or removed that."""
        try:
            return self.stream is not None and os.path.samestat(
                os.fstat(self.stream.fileno()), Path(self.baseFilename).stat()
            )
        except OSError:
            return False

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record, rotating before it when the file would grow too large."""
        missed = self._missed
        super().emit(record)
        if missed and self._missed == missed:
            self._missed = 0
            super().emit(notice(f"{missed} records before the last could not be written here: they went to stderr"))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Called where an exception is handled. What the disk refuses is told once, without a traceback."""
        error = sys.exception()
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        # A buffer that could not be emptied would be tried again with the next record, which then came after its time.
        # Without a stream, the next record opens the file anew.
        with contextlib.suppress(OSError):
            stream, self.stream = self.stream, None
            if stream is not None:
                stream.close()
        if not self._missed:
            self._fallback.handle(notice(f"the log {self.baseFilename} cannot be written: {error.strerror}"))
        self._missed += 1
        self._fallback.handle(record)

    def close(self) -> None:
        """Closes the file; what the disk does not take any more is lost."""
        with contextlib.suppress(OSError):
            super().close()

    def _open(self) -> io.TextIOWrapper:
        # For reading too: `_end_line` does, and to write only to a FIFO that nobody reads would wait for ever.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            fd = os.open(self.baseFilename, flags | os.O_EXCL, _MODE)
            # A file system without modes refuses that, which leaves it to how it was mounted.
            with contextlib.suppress(OSError):
                os.fchmod(fd, _MODE)
        except FileExistsError:
            fd = os.open(self.baseFilename, flags, _MODE)
        try:
            _end_line(fd)
        except OSError:
            os.close(fd)
            raise
        return io.TextIOWrapper(os.fdopen(fd, "ab"), encoding=self.encoding, errors=self.errors)


def _end_line(fd: int) -> None:
    """A full disk, or a daemon that was killed, may have left half a line: the next one does not begin in it.

    OSError for what is no regular file, since it has no lines that stay.
    """
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "it is no file")
    if status.st_size and os.pread(fd, 1, status.st_size - 1) != b"\n":
        os.write(fd, b"\n")
