"""The zygote's program: `python -m ndfd.worker.zygote --channel FD --memory-limit BYTES …`.

Started by the supervisor only. It loads the document stack once, and each worker is a copy of it that costs a fork.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ndfd import platform
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.status import EngineStatus
from ndfd.worker import nursery
from ndfd.worker.engine import Engine
from ndfd.worker.sample import SAMPLE_PDF


def prepare(font_dirs: Sequence[str]) -> Engine:
    """Opens the engine and converts a small document in every format, so that what is imported late is imported now."""
    # Not at the top: an engine that is missing fails to import, and the supervisor is told so by name only from here.
    from ndfd import document, native

    # A list replaces PDFium's own folders, where it finds what stands in for Arial and Times.
    native.pdftext.initialise([*map(str, platform.font_roots(None)), *font_dirs] if font_dirs else ())
    for output_format in OutputFormat:
        document.convert(SAMPLE_PDF, ConvertOptions(output_format), lambda page: None)
    status = EngineStatus(native.pdftext.engine_name(), native.IMPLEMENTATION, tuple(font_dirs))
    return Engine(status, document.convert)


if __name__ == "__main__":
    sys.exit(nursery.main(prepare, sys.argv[1:]))
