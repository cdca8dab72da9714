"""What a worker claims in a frame that decodes: can it be so, and is it fit to be passed on? Functions of values.

The fields are of the right types. Everything else is still the worker's word, and it has seen the document: a negative
count, a media type that would end an HTTP header, a message that would set a terminal's title.
"""

from __future__ import annotations

import math
from typing import TypeVar

from msgspec.structs import replace

from ndfd.errors import WorkerProtocolError
from ndfd.model.conversion import ConversionReport, PageReport
from ndfd.model.printable import printable
from ndfd.protocol import frames

#: PDFium counts pages with an int.
PAGES_MAX = 2**31 - 1
#: Of a page: thousands of page events are kept for a caller that reads slowly.
REASONS_MAX = 8
REASON_MAX_CHARACTERS = 300
#: Pages with problems that a report names (`ConversionReport.problems`).
PROBLEMS_MAX = 100
#: Of an error; a sound worker cuts it shorter.
MESSAGE_MAX_CHARACTERS = 2000
#: A year: whatever works longer was killed at its deadline long ago.
_CPU_MAX_S = 366 * 86400.0
#: More memory than there is; above this the integers of JSON are not the same to every reader (RFC 8259, section 6).
_BYTES_MAX = 2**53 - 1

FrameT = TypeVar("FrameT", bound=frames.Frame)


def checked(frame: FrameT, media_type: str) -> FrameT:
    """The frame, fit to be passed on; `WorkerProtocolError` for what no sound worker claims.

    `media_type` is what was asked for.
    """
    match frame:
        case frames.JobPage(page=page):
            return replace(frame, page=_checked_page(page))
        case frames.JobDone(report=report):
            return replace(frame, report=_checked_report(report, media_type))
        case frames.JobFailed(code=code, message=message, hint=hint, page=number):
            if number is not None and not 1 <= number <= PAGES_MAX:
                raise WorkerProtocolError(f"it failed on page {number}")
            code, message, hint = (printable(text, MESSAGE_MAX_CHARACTERS) for text in (code, message, hint))
            return replace(frame, code=code, message=message, hint=hint)
    return frame


def _checked_page(page: PageReport) -> PageReport:
    if not 1 <= page.number <= page.total <= PAGES_MAX:
        raise WorkerProtocolError(f"it speaks of page {page.number} of {page.total}")
    reasons = tuple(printable(reason, REASON_MAX_CHARACTERS) for reason in page.reasons[:REASONS_MAX])
    return replace(page, reasons=reasons)


def _checked_report(report: ConversionReport, media_type: str) -> ConversionReport:
    if report.media_type != media_type:
        said = printable(report.media_type, REASON_MAX_CHARACTERS)
        raise WorkerProtocolError(f"it gives {said} where {media_type} is asked for")
    bad = (report.pages_partial, report.pages_failed)
    if not 0 <= report.pages <= PAGES_MAX or min(bad) < 0 or sum(bad) > report.pages:
        raise WorkerProtocolError(f"it reports {report.pages} pages, {bad[0]} of them partial and {bad[1]} failed")
    if not (math.isfinite(report.cpu_s) and 0 <= report.cpu_s <= _CPU_MAX_S):
        raise WorkerProtocolError(f"it reports {report.cpu_s:g} s of CPU time")
    if not 0 <= report.rss_max_bytes <= _BYTES_MAX:
        raise WorkerProtocolError(f"it reports {report.rss_max_bytes} bytes of memory")
    if len(report.problems) > PROBLEMS_MAX:
        raise WorkerProtocolError(f"it names {len(report.problems)} pages with problems")
    return replace(report, problems=tuple(map(_checked_page, report.problems)))
