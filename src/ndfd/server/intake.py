"""Where a document's bytes come from: a descriptor that is looked at before it is trusted, or bytes put in a memfd."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ndfd.errors import DocumentTooLarge, UsageError
from ndfd.platform import memfd

_HINT = "pass a descriptor that is open for reading on a regular file or a memfd; read a pipe into a memfd first"
_BACKUP_HINT = "pass a descriptor that is open for writing on a regular file or a pipe"

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


def document_size(fd: int) -> int:
    """Size in bytes of the document behind a descriptor; `UsageError` unless it is a readable regular file."""
    status, flags = _looked_at(fd, "the document's descriptor", _HINT)
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"the document's descriptor is {_kind(status)}, not a regular file", hint=_HINT)
    if flags & os.O_PATH or flags & os.O_ACCMODE == os.O_WRONLY:
        raise UsageError("the document's descriptor is not open for reading", hint=_HINT)
    return status.st_size


def check_backup_target(fd: int) -> None:
    """`UsageError` unless the descriptor is open for writing on a regular file or a pipe."""
    status, flags = _looked_at(fd, "the backup's descriptor", _BACKUP_HINT)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
        raise UsageError(
            f"the backup's descriptor is {_kind(status)}, neither a regular file nor a pipe", hint=_BACKUP_HINT
        )
    if flags & os.O_PATH or flags & os.O_ACCMODE == os.O_RDONLY:
        raise UsageError("the backup's descriptor is not open for writing", hint=_BACKUP_HINT)


def _looked_at(fd: int, what: str, hint: str) -> tuple[os.stat_result, int]:
    try:
        return os.fstat(fd), fcntl.fcntl(fd, fcntl.F_GETFL)
    except OSError as error:
        raise UsageError(f"{what} cannot be used: {error.strerror}", hint=hint) from error


def _kind(status: os.stat_result) -> str:
    return next((name for test, name in _KINDS if test(status.st_mode)), "no file")


class Intake:
    """Takes a document in piece by piece, into a memfd; closes it at the end of its `with` block."""

    def __init__(self, max_bytes: int, count: Callable[[int], None] = lambda size_bytes: None) -> None:
        """`count` is told of bytes before they are taken, and may refuse them."""
        self._count = count
        self._max_bytes = max_bytes
        self.size_bytes = 0
        self.fd = memfd("ndfd-document")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self.fd)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """`DocumentTooLarge`, with nothing more kept, when the document grows past the limit."""
        if self.size_bytes + len(data) > self._max_bytes:
            raise too_large(self._max_bytes)
        self._count(len(data))
        view = memoryview(data)
        while view:
            view = view[os.write(self.fd, view) :]
        self.size_bytes += len(data)


def too_large(max_bytes: int) -> DocumentTooLarge:
    """The error for a document whose whole size nobody waited for."""
    return DocumentTooLarge(
        f"the document has more than {max_bytes} bytes",
        hint="split the document, or have the daemon's limit raised: [document] max_size",
    )
