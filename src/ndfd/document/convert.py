"""The whole way: bytes -> drafts, section by section -> what the whole document tells -> blocks -> a rendering.

The same is there in two steps for a document that several workers read: `parts.read_part` for each section, and
`composition.compose`.
"""

from __future__ import annotations

import time
from typing import Any

from ndfd import errors
from ndfd.document import composition
from ndfd.document.collector import no_cycles_sought
from ndfd.document.parts import Part, check_pages, read_section
from ndfd.model.conversion import ConversionReport, ConvertOptions, OnPage
from ndfd.model.document import Document
from ndfd.model.sandbox import Confinement
from ndfd.model.sections import PAGES_MAX, SECTION_PAGES, sections
from ndfd.native import pdftext


def convert(
    data: Any,
    options: ConvertOptions,
    on_page: OnPage | None = None,
    confinement: Confinement | None = None,
    *,
    section_pages: int = SECTION_PAGES,
) -> tuple[bytes | bytearray, ConversionReport]:
    """Renders the document in `data` (a contiguous buffer) as `options` ask.

    `on_page` is called with each page as it is read. `confinement` is this process's, for the record. The report's
    `rss_max_bytes` is left 0: the process knows it, not this function. Raises the `DocumentError`s of ndfd.errors for
    what cannot be opened.
    """
    converted = convert_up_to(PAGES_MAX, data, options, on_page, confinement, section_pages=section_pages)
    assert not isinstance(converted, int)
    return converted


def convert_up_to(
    pages_max: int,
    data: Any,
    options: ConvertOptions,
    on_page: OnPage | None = None,
    confinement: Confinement | None = None,
    *,
    section_pages: int = SECTION_PAGES,
) -> tuple[bytes | bytearray, ConversionReport] | int:
    """As `convert`; of a document with more than `pages_max` pages it reads none, and returns how many there are."""
    started = time.process_time()
    with no_cycles_sought():
        read = _read(data, options, on_page, pages_max, section_pages)
        return read if isinstance(read, int) else composition.render(data, options, read, confinement, started)


def read(data: Any, options: ConvertOptions | None = None, on_page: OnPage | None = None) -> Document:
    """The document in `data` as a record. Raises as `convert`."""
    options = options or ConvertOptions()
    parts = _read(data, options, on_page, PAGES_MAX, SECTION_PAGES)
    assert not isinstance(parts, int)
    return composition.record(data, options, parts)


def _read(
    data: Any, options: ConvertOptions, on_page: OnPage | None, pages_max: int, section_pages: int
) -> list[Part] | int:
    with pdftext.Document(data, options.password) as engine:
        pages = engine.page_count
        if pages == 0:
            raise errors.NoPages("the document has no pages")
        if pages > pages_max:
            return pages
        first, *others = sections(pages, section_pages)
        parts = [read_section(engine, first, on_page)]
    for section in others:
        with pdftext.Document(data, options.password) as engine:
            check_pages(engine, pages)
            parts.append(read_section(engine, section, on_page))
    return parts
