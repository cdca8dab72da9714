"""The whole way: bytes -> drafts page by page -> what the whole document tells -> blocks -> a rendering.

Memory: of each page only its draft blocks are kept until the last page is read, because headings and running headers
are known only then; frozen pages are made and rendered one at a time.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

import ndfd
from ndfd import errors
from ndfd.document import html, markdown, text
from ndfd.document.blocks import page_of
from ndfd.document.draft import PageDraft
from ndfd.document.fonts import MathFonts
from ndfd.document.furniture import mark_furniture
from ndfd.document.headings import body_size, mark_headings
from ndfd.document.kinds import mark_kinds
from ndfd.document.page import read_page
from ndfd.model.conversion import ConversionReport, ConvertOptions, OutputFormat, PageReport
from ndfd.model.document import SCHEMA_VERSION, Document, OutlineItem, Page, PageStatus, Provenance, Source
from ndfd.model.sandbox import Confinement
from ndfd.native import IMPLEMENTATION, pdftext

MEDIA_TYPE = "application/pdf"
#: Pages named one by one in a report.
PROBLEMS_MAX = 100

OnPage = Callable[[PageReport], None]

#: Read from a file once, before the process confines itself.
_engine_name = functools.cache(pdftext.engine_name)


def convert(
    data: Any, options: ConvertOptions, on_page: OnPage | None = None, confinement: Confinement | None = None
) -> tuple[bytes, ConversionReport]:
    """Renders the document in `data` (a contiguous buffer) as `options` ask.

    `on_page` is called with each page as it is read. `confinement` is this process's, for the record. The report's
    `rss_max_bytes` is left 0: the process knows it, not this function. Raises the `DocumentError`s of ndfd.errors for
    what cannot be opened.
    """
    started = time.process_time()
    with _no_cycles_sought(), pdftext.Document(data, options.password) as engine:
        drafts = _read(engine, on_page)
        rendered = _render(engine, drafts, data, options, confinement)
    problems = [
        PageReport(page.number, len(drafts), page.status, page.reasons)
        for page in drafts
        if page.status is not PageStatus.OK
    ]
    return rendered, ConversionReport(
        pages=len(drafts),
        pages_partial=sum(page.status is PageStatus.PARTIAL for page in drafts),
        pages_failed=sum(page.status is PageStatus.FAILED for page in drafts),
        media_type=options.format.media_type,
        size_bytes=len(rendered),
        cpu_s=time.process_time() - started,
        rss_max_bytes=0,
        problems=tuple(problems[:PROBLEMS_MAX]),
    )


@contextlib.contextmanager
def _no_cycles_sought() -> Iterator[None]:
    """Pauses the cyclic collector: a conversion makes no cycles (held by a test), and passes over the drafts of a long
    document are 2 % of its CPU."""
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()


def read(data: Any, options: ConvertOptions | None = None, on_page: OnPage | None = None) -> Document:
    """The document in `data` as a record. Raises as `convert`."""
    options = options or ConvertOptions()
    with pdftext.Document(data, options.password) as engine:
        return _record(engine, _read(engine, on_page), data, options, None)


def _read(engine: pdftext.Document, on_page: OnPage | None) -> list[PageDraft]:
    total = engine.page_count
    if total == 0:
        raise errors.NoPages("the document has no pages")
    math = MathFonts()
    drafts: list[PageDraft] = []
    for index in range(total):
        try:
            draft = read_page(engine.page(index), index + 1, engine.fonts, math)
        except errors.DamagedDocument as error:
            draft = PageDraft(index + 1, status=PageStatus.FAILED, reasons=(error.message,))
        drafts.append(draft)
        if on_page is not None:
            on_page(PageReport(draft.number, total, draft.status, draft.reasons))
    settle(drafts, engine.outline())
    return drafts


def settle(drafts: list[PageDraft], outline: list[pdftext.Outline]) -> None:
    """What only the whole document tells: furniture first, for headings must not be sought in it."""
    mark_furniture(drafts)
    mark_headings(drafts, outline)
    mark_kinds(drafts, body_size(drafts))


def _render(
    engine: pdftext.Document,
    drafts: list[PageDraft],
    data: Any,
    options: ConvertOptions,
    confinement: Confinement | None,
) -> bytes:
    if options.format is OutputFormat.JSON:
        return msgspec.json.encode(_record(engine, drafts, data, options, confinement))
    pages: Iterator[Page] = map(page_of, drafts)
    if options.format is OutputFormat.MARKDOWN:
        pieces = markdown.render(pages)
    elif options.format is OutputFormat.HTML:
        pieces = html.render(pages, engine.metadata().get("title") or options.name or "")
    else:
        pieces = text.render(pages)
    whole = "".join(pieces).rstrip("\n")
    return (whole + "\n").encode("utf-8", "replace") if whole else b""


def _record(
    engine: pdftext.Document,
    drafts: list[PageDraft],
    data: Any,
    options: ConvertOptions,
    confinement: Confinement | None,
) -> Document:
    view = memoryview(data)
    digest = hashlib.sha256(view).hexdigest()
    outline = tuple(
        OutlineItem(item.title, item.level, None if item.page is None else item.page + 1) for item in engine.outline()
    )
    return Document(
        schema_version=SCHEMA_VERSION,
        id=f"sha256:{digest[:32]}",
        source=Source(view.nbytes, options.name),
        media_type=MEDIA_TYPE,
        metadata=engine.metadata(),
        pages=tuple(map(page_of, drafts)),
        outline=outline,
        provenance=Provenance(ndfd.__version__, _engine_name(), IMPLEMENTATION, digest, confinement),
    )
