"""A report of a worker that a document ended, for tests."""

from __future__ import annotations

import msgspec

from ndfd.model.conversion import OutputFormat
from ndfd.model.crash import CrashCause, CrashReport, Stage


def crash(**changes: object) -> CrashReport:
    """One, with what the test wants otherwise."""
    report = CrashReport(
        at=1.7e9,
        cause=CrashCause.CRASH,
        code="worker-crashed",
        stage=Stage.READING,
        conversion=12,
        uid=1000,
        attempt=1,
        size_bytes=4567,
        format=OutputFormat.MARKDOWN,
        engine="pdfium 1",
        version="0.1.0",
        worker=3,
        pid=4711,
        served=8,
        page=2,
        pages=9,
        signal="SIGSEGV",
        rss_max_bytes=250_000_000,
    )
    return msgspec.structs.replace(report, **changes)
