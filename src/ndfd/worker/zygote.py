"""The zygote's program: `python -m ndfd.worker.zygote --channel FD --memory-limit BYTES …`.

Started by the supervisor only. It loads the document stack once, and each worker is a copy of it that costs a fork.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ndfd import platform
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.sections import Section
from ndfd.model.status import EngineStatus
from ndfd.worker import nursery
from ndfd.worker.engine import ByParts, Engine
from ndfd.worker.sample import SAMPLE_PDF

#: Of fonts in a worker's address space: the four files of a usual CJK family fit (93 MB), and the smallest worker that
#: can be configured (256 MB) keeps half of its own.
FONT_BYTES_MAX = 96 * 1024**2


def prepare(font_dirs: Sequence[str]) -> Engine:
    """Opens the engine and converts a small document in every format, so that what is imported late is imported now."""
    # Not at the top: an engine that is missing fails to import, and the supervisor is told so by name only from here.
    from ndfd import document, native

    # Before the first fork: a worker may open no file.
    held = native.pdftext.hold_fonts([*map(str, platform.font_roots(None)), *font_dirs], FONT_BYTES_MAX)
    if held.left_out:
        first = ", ".join(held.left_out[:3])
        sys.stderr.write(
            f"{len(held.left_out)} font files of this host do not fit beside the {held.files} that are held "
            f"({held.size_bytes} bytes) and are not used: {first}{', …' if len(held.left_out) > 3 else ''}\n"
        )
    for output_format in OutputFormat:
        document.convert(SAMPLE_PDF, ConvertOptions(output_format), lambda page: None)
        part, _ = document.read_part(SAMPLE_PDF, ConvertOptions(output_format), Section(1, 1), 1)
        document.compose(SAMPLE_PDF, ConvertOptions(output_format), 1, [part])
    status = EngineStatus(native.pdftext.engine_name(), native.IMPLEMENTATION, tuple(font_dirs))
    by_parts = ByParts(document.convert_up_to, document.read_part, document.compose)
    return Engine(status, document.convert, native.violations.tell, by_parts)


if __name__ == "__main__":
    sys.exit(nursery.main(prepare, sys.argv[1:]))
