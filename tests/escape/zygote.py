"""A zygote whose workers make the attempt that the document names: "NAME\\nPID OF THE SUPERVISOR"."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable, Sequence

from ndfd import native
from ndfd.model.conversion import ConversionReport, ConvertOptions, PageReport
from ndfd.model.document import PageStatus
from ndfd.model.sandbox import Confinement
from ndfd.model.status import EngineStatus
from ndfd.worker import nursery
from ndfd.worker.engine import Engine
from tests.escape.attempts import outcome


def convert(
    data: mmap.mmap, options: ConvertOptions, on_page: Callable[[PageReport], None], confinement: Confinement
) -> tuple[bytes, ConversionReport]:
    name, supervisor = bytes(data).decode().split("\n")
    # So that it is seen that the worker lived until its attempt.
    on_page(PageReport(1, 1, PageStatus.OK))
    became = outcome(name, int(supervisor)).encode()
    return became, ConversionReport(1, 0, 0, options.format.media_type, 0, 0.0, 0)


def prepare(font_dirs: Sequence[str]) -> Engine:
    return Engine(EngineStatus("escape artist", "python", tuple(font_dirs)), convert, native.violations.tell)


if __name__ == "__main__":
    sys.exit(nursery.main(prepare, sys.argv[1:]))
