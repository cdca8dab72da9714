"""What a worker runs: the seam between the processes and the document stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from mmap import mmap
from typing import NamedTuple, Protocol

from ndfd.model.conversion import ConversionReport, ConvertOptions, PageReport
from ndfd.model.sandbox import Confinement
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
    ) -> tuple[bytes, ConversionReport]:
        """The rendered document; `confinement`, which is this process's, stands in a record of it.

        Fails with the errors of `ndfd.errors`, or MemoryError.
        """


class Engine(NamedTuple):
    """A document stack that is loaded, open and warm, so that a fork of this process can convert at once."""

    status: EngineStatus
    convert: Convert
    #: `ndfd.native.violations.tell`.
    tell_violations: Callable[[int, bytes], bool]


#: Makes the engine ready; takes the folders of the fallback fonts.
Prepare = Callable[[Sequence[str]], Engine]
