"""What is told of a conversion: each page as it is read, and the whole at its end."""

from __future__ import annotations

from collections.abc import Sequence

from ndfd.document.draft import PageDraft
from ndfd.model.conversion import ConversionReport, PageReport
from ndfd.model.document import PageStatus

#: Pages named one by one in a report.
PROBLEMS_MAX = 100


def report_on(
    drafts: Sequence[PageDraft], total: int, media_type: str, size_bytes: int, cpu_s: float
) -> ConversionReport:
    """The report on these pages of a document that has `total`.

    `rss_max_bytes` is left 0: the process knows it, not this function.
    """
    problems = [
        PageReport(page.number, total, page.status, page.reasons) for page in drafts if page.status is not PageStatus.OK
    ]
    return ConversionReport(
        pages=len(drafts),
        pages_partial=sum(page.status is PageStatus.PARTIAL for page in drafts),
        pages_failed=sum(page.status is PageStatus.FAILED for page in drafts),
        media_type=media_type,
        size_bytes=size_bytes,
        cpu_s=cpu_s,
        rss_max_bytes=0,
        problems=tuple(problems[:PROBLEMS_MAX]),
    )
