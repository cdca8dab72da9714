"""The drafts of all sections -> what the whole document tells -> the rendering.

Memory: the drafts of all pages are held, because headings and running headers are known only with the last page. They
are let go one page after another as the rendering, the only other large thing, grows.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

import ndfd
from ndfd import errors
from ndfd.document import html, markdown, text
from ndfd.document.blocks import page_of
from ndfd.document.collector import no_cycles_sought
from ndfd.document.draft import PageDraft
from ndfd.document.furniture import mark_furniture
from ndfd.document.headings import body_size, mark_headings
from ndfd.document.kinds import mark_kinds
from ndfd.document.parts import Front, Part, decoded
from ndfd.document.report import report_on
from ndfd.model.conversion import ConversionReport, ConvertOptions, OutputFormat
from ndfd.model.document import SCHEMA_VERSION, Document, OutlineItem, Page, Provenance, Source
from ndfd.model.sandbox import Confinement
from ndfd.native import IMPLEMENTATION, pdftext

MEDIA_TYPE = "application/pdf"

#: Where the pages go in the record without them. A quotation mark within a value is escaped, so it is nowhere else.
_NO_PAGES = b',"pages":['

#: Read from a file once, before the process confines itself.
_engine_name = functools.cache(pdftext.engine_name)

_encoder = msgspec.json.Encoder()


def compose(
    data: Any, options: ConvertOptions, pages: int, parts: Iterable[Any], confinement: Confinement | None = None
) -> tuple[bytes | bytearray, ConversionReport]:
    """What `convert` gives for the document in `data`, which has so many pages, out of its sections, each as
    `parts.read_part` gave it, in order. They are taken one after the other and not held.

    WorkerProtocolError when they are not that, which says nothing of the document: another worker has gone wrong.
    """
    started = time.process_time()
    with no_cycles_sought():
        read = [decoded(part) for part in parts]
        _check(read, pages)
        return render(data, options, read, confinement, started)


def render(
    data: Any, options: ConvertOptions, parts: list[Part], confinement: Confinement | None, started: float
) -> tuple[bytes | bytearray, ConversionReport]:
    """The rendering and the report; `parts` is empty afterwards. `started` is the process's CPU time at the start."""
    front, drafts = _settled(parts)
    parts.clear()
    report = report_on(drafts, len(drafts), options.format.media_type, 0, 0.0)
    rendered = _render(front, drafts, data, options, confinement)
    return rendered, msgspec.structs.replace(report, size_bytes=len(rendered), cpu_s=time.process_time() - started)


def record(data: Any, options: ConvertOptions, parts: list[Part]) -> Document:
    """The whole document as a record."""
    front, drafts = _settled(parts)
    return _record(front, tuple(map(page_of, drafts)), data, options, None)


def settle(drafts: list[PageDraft], outline: Sequence[OutlineItem]) -> None:
    """What only the whole document tells: furniture first, for headings must not be sought in it."""
    mark_furniture(drafts)
    mark_headings(drafts, outline)
    mark_kinds(drafts, body_size(drafts))


def _check(parts: list[Part], pages: int) -> None:
    numbers = (draft.number for part in parts for draft in part.drafts)
    if any(number != expected for expected, number in enumerate(numbers, 1)):
        raise errors.WorkerProtocolError("the parts of the document are not its pages in order")
    found = sum(len(part.drafts) for part in parts)
    if found != pages:
        raise errors.WorkerProtocolError(f"the parts of the document have {found} pages; it has {pages}")
    if [part.front is not None for part in parts] != [True] + [False] * (len(parts) - 1):
        raise errors.WorkerProtocolError("what the document says of itself is not in its first part alone")


def _settled(parts: list[Part]) -> tuple[Front, list[PageDraft]]:
    front = parts[0].front
    assert front is not None, "the first section comes with what the document says of itself"
    drafts = [draft for part in parts for draft in part.drafts]
    settle(drafts, front.outline)
    return front, drafts


def _render(
    front: Front, drafts: list[PageDraft], data: Any, options: ConvertOptions, confinement: Confinement | None
) -> bytes | bytearray:
    pages = _pages(drafts)
    if options.format is OutputFormat.JSON:
        return _json(_record(front, (), data, options, confinement), pages)
    if options.format is OutputFormat.MARKDOWN:
        pieces = markdown.render(pages)
    elif options.format is OutputFormat.HTML:
        pieces = html.render(pages, front.metadata.get("Title") or options.name or "")
    else:
        pieces = text.render(pages)
    return _ended(pieces)


def _pages(drafts: list[PageDraft]) -> Iterator[Page]:
    """Each page made when it is asked for; its draft is let go then."""
    drafts.reverse()
    while drafts:
        yield page_of(drafts.pop())


def _ended(pieces: Iterable[str]) -> bytearray:
    """The pieces as bytes, with one line end at their end."""
    whole = bytearray()
    for piece in pieces:
        whole += piece.encode("utf-8", "replace")
    end = len(whole)
    while end and whole[end - 1] == 0x0A:
        end -= 1
    del whole[end:]
    if whole:
        whole += b"\n"
    return whole


def _json(without_pages: Document, pages: Iterable[Page]) -> bytearray:
    """The record in JSON, with never more than one page of it made."""
    around = _encoder.encode(without_pages)
    at = around.index(_NO_PAGES) + len(_NO_PAGES)
    whole = bytearray(around[:at])
    for page in pages:
        _encoder.encode_into(page, whole, -1)
        whole += b","
    if whole.endswith(b","):
        del whole[-1:]
    whole += around[at:]
    return whole


def _record(
    front: Front, pages: tuple[Page, ...], data: Any, options: ConvertOptions, confinement: Confinement | None
) -> Document:
    view = memoryview(data)
    digest = hashlib.sha256(view).hexdigest()
    return Document(
        schema_version=SCHEMA_VERSION,
        id=f"sha256:{digest[:32]}",
        source=Source(view.nbytes, options.name),
        media_type=MEDIA_TYPE,
        metadata=front.metadata,
        pages=pages,
        outline=front.outline,
        provenance=Provenance(ndfd.__version__, _engine_name(), IMPLEMENTATION, digest, confinement),
    )
