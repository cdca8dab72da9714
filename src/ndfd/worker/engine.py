"""What a worker runs: the seam between the processes and the document stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from mmap import mmap
from typing import NamedTuple, Protocol

from ndfd.model.conversion import ConversionReport, ConvertOptions, PageReport
from ndfd.model.sandbox import Confinement
from ndfd.model.sections import Section
from ndfd.model.status import EngineStatus


class Convert(Protocol):
    """The signature of `ndfd.document.convert`."""

    def __call__(
        self,
        data: mmap,
        options: ConvertOptions,
        on_page: Callable[[PageReport], None],
        confinement: Confinement,
        /,
    ) -> tuple[bytes | bytearray, ConversionReport]:
        """The rendered document; `confinement`, which is this process's, stands in a record of it.

        Fails with the errors of `ndfd.errors`, or MemoryError.
        """


class ConvertUpTo(Protocol):
    """The signature of `ndfd.document.convert_up_to`."""

    def __call__(
        self,
        pages_max: int,
        data: mmap,
        options: ConvertOptions,
        on_page: Callable[[PageReport], None],
        confinement: Confinement,
        /,
    ) -> tuple[bytes | bytearray, ConversionReport] | int:
        """As `Convert`; of a document with more pages only their number."""


class ReadPart(Protocol):
    """The signature of `ndfd.document.read_part`."""

    def __call__(
        self,
        data: mmap,
        options: ConvertOptions,
        section: Section,
        pages: int,
        on_page: Callable[[PageReport], None],
        /,
    ) -> tuple[bytes | bytearray, ConversionReport]:
        """One section of a document of so many pages, for `Compose`. Fails as `Convert`."""


class Compose(Protocol):
    """The signature of `ndfd.document.compose`."""

    def __call__(
        self, data: mmap, options: ConvertOptions, pages: int, parts: Iterable[mmap], confinement: Confinement, /
    ) -> tuple[bytes | bytearray, ConversionReport]:
        """What `Convert` gives, out of its parts, each of which is asked for once and done with when the next one is.

        Fails as `Convert`; with WorkerProtocolError when they are no parts of it.
        """


class ByParts(NamedTuple):
    """How a document stack reads a long document with several workers."""

    convert_up_to: ConvertUpTo
    read_part: ReadPart
    compose: Compose


class Engine(NamedTuple):
    """A document stack that is loaded, open and warm, so that a fork of this process can convert at once."""

    status: EngineStatus
    convert: Convert
    #: `ndfd.native.violations.tell`.
    tell_violations: Callable[[int, bytes], bool]
    #: None for a stack that reads each document whole.
    by_parts: ByParts | None = None


#: Makes the engine ready; takes the folders of the fallback fonts.
Prepare = Callable[[Sequence[str]], Engine]
