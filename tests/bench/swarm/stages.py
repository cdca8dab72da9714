"""The stages of a start in their order, each with the milliseconds it took: `python …/stages.py daemon|zygote`."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from typing import Any

#: What is imported above, Python has imported for itself.
_begun = time.perf_counter()


class _Stopwatch:
    def __init__(self) -> None:
        self._since = _begun

    def stage(self, name: str) -> None:
        """Ends here; the next one begins."""
        now = time.perf_counter()
        print(f"{name}\t{1000 * (now - self._since):.3f}")
        self._since = time.perf_counter()


def _daemon(stage: Callable[[str], None]) -> None:
    import ndfd.cli.main

    stage("command line imported")
    from ndfd.config.load import load

    stage("configuration imported")
    from ndfd.cli.options import Sources

    load(Sources((), None, None).context().without_files())
    stage("configuration loaded")
    import ndfd.daemon  # noqa: F401 - only that it is imported counts

    stage("the rest imported")


def _zygote(stage: Callable[[str], None]) -> None:
    from ndfd import platform
    from ndfd.model.conversion import ConvertOptions, OutputFormat
    from ndfd.worker import zygote

    stage("zygote imported")
    from ndfd import document, native

    stage("document stack imported")
    native.pdftext.hold_fonts([*map(str, platform.font_roots(None))], zygote.FONT_BYTES_MAX)
    stage("fonts held")
    for output_format in OutputFormat:
        document.convert(zygote.SAMPLE_PDF, ConvertOptions(output_format))
    stage("built-in document converted")
    gc.freeze()
    platform.measure_confinement(platform.WorkerLimits(4 * 10**9))
    stage("confinement measured")


_PROCESSES: dict[str, Callable[[Callable[[str], None]], Any]] = {"daemon": _daemon, "zygote": _zygote}

if __name__ == "__main__":
    _PROCESSES[sys.argv[1]](_Stopwatch().stage)
