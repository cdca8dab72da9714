"""A section of a document: its pages read into drafts, and these as bytes for the worker that composes the document.

The bytes are MessagePack, decoded strictly: they come from a worker that has seen the document, and what it sends may
spoil no more than this document.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from ndfd import errors
from ndfd.document.collector import no_cycles_sought
from ndfd.document.draft import PageDraft
from ndfd.document.fonts import MathFonts
from ndfd.document.page import read_page
from ndfd.document.report import report_on
from ndfd.model.conversion import ConversionReport, ConvertOptions, OnPage, PageReport
from ndfd.model.document import OutlineItem, PageStatus
from ndfd.model.sections import PART_MEDIA_TYPE, Section
from ndfd.native import pdftext


class Front(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What the document says of itself apart from its pages."""

    metadata: dict[str, str]
    outline: tuple[OutlineItem, ...]


class Part(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What was read of one section."""

    #: Read with the first section; None with the others.
    front: Front | None
    drafts: list[PageDraft]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Part)


def read_part(
    data: Any, options: ConvertOptions, section: Section, pages: int, on_page: OnPage | None = None
) -> tuple[bytes, ConversionReport]:
    """Reads one section of a document that has so many pages, for `compose`; `convert` does the same with each.

    `on_page` is called with each page as it is read, in the document's own numbering. `DocumentChanged` when the
    document has another number of pages. Otherwise raises as `convert`.
    """
    started = time.process_time()
    with no_cycles_sought():
        with pdftext.Document(data, options.password) as engine:
            check_pages(engine, pages)
            part = read_section(engine, section, on_page)
        encoded = _encoder.encode(part)
        return encoded, report_on(part.drafts, pages, PART_MEDIA_TYPE, len(encoded), time.process_time() - started)


def decoded(data: Any) -> Part:
    """What `read_part` read; WorkerProtocolError for anything else."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise errors.WorkerProtocolError(f"a part of {len(data)} bytes is malformed: {error}") from error


def check_pages(engine: pdftext.Document, pages: int) -> None:
    """`DocumentChanged` when the engine finds another number of pages than it did before."""
    if engine.page_count != pages:
        how = f"it has {engine.page_count} pages and had {pages}"
        raise errors.DocumentChanged(f"the document was changed while it was converted: {how}")


def read_section(engine: pdftext.Document, section: Section, on_page: OnPage | None) -> Part:
    """The section, with an engine that has read nothing yet."""
    math = MathFonts()
    drafts: list[PageDraft] = []
    for number in range(section.first, section.last + 1):
        try:
            draft = read_page(engine.page(number - 1), number, engine.fonts, math)
        except errors.DamagedDocument as error:
            draft = PageDraft(number, status=PageStatus.FAILED, reasons=(error.message,))
        drafts.append(draft)
        if on_page is not None:
            on_page(PageReport(number, engine.page_count, draft.status, draft.reasons))
    return Part(_front(engine) if section.first == 1 else None, drafts)


def _front(engine: pdftext.Document) -> Front:
    outline = tuple(
        OutlineItem(item.title, item.level, None if item.page is None else item.page + 1) for item in engine.outline()
    )
    return Front(engine.metadata(), outline)
