"""What a conversion gave, as the client holds it."""

from __future__ import annotations

import mmap
import os
from types import TracebackType
from typing import Self

from ndfd import platform
from ndfd.errors import OutputError, ProtocolError
from ndfd.model.conversion import ConversionReport


class Conversion:
    """The rendered document in memory that is shared with nobody who could change it.

    Use it in a `with` block, or call `close`: it holds a descriptor.
    """

    def __init__(self, report: ConversionReport, fd: int, generation: int) -> None:
        """Takes the descriptor over. `ProtocolError` unless it is sealed and as long as the report says.

        Without the seals the sender could shorten the memory while it is read here, which kills the reader (SIGBUS).
        """
        self.report = report
        #: Of the daemon's configuration that served it.
        self.generation = generation
        self._fd = fd
        self._map: mmap.mmap | None = None
        self._closed = False
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            os.close(self._fd)

    @property
    def content(self) -> memoryview:
        """The rendered bytes, UTF-8, not copied. They stay mapped as long as a view of them lives, past `close` too."""
        if self.report.size_bytes == 0:
            return memoryview(b"")
        if self._map is None:
            self._map = mmap.mmap(self._fd, self.report.size_bytes, access=mmap.ACCESS_READ)
        return memoryview(self._map)

    @property
    def text(self) -> str:
        """The rendered document, copied into a string."""
        return str(self.content, "utf-8")

    def write_to(self, fd: int) -> None:
        """Writes the rendered bytes to a descriptor that blocks; `OutputError` when it cannot take them.

        A reader that has gone (BrokenPipeError) is the caller's to judge, and passes through.
        """
        rest = self.content
        while rest:
            try:
                rest = rest[os.write(fd, rest) :]
            except BrokenPipeError:
                raise
            except OSError as error:
                raise OutputError(f"the result cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Gives the descriptor back; views of `content` stay good."""
        if not self._closed:
            self._closed = True
            self._map = None
            os.close(self._fd)

    def _check(self) -> None:
        if not platform.is_sealed(self._fd):
            raise ProtocolError(
                "the daemon's result is not a sealed memfd",
                hint="check which program answers there",
            )
        size = os.fstat(self._fd).st_size
        if size != self.report.size_bytes:
            raise ProtocolError(f"the result has {size} bytes, its report says {self.report.size_bytes}")
