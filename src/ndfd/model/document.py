"""The document tree: what a conversion gives back.

Coordinates are points (1/72 inch) from the top left of the page as it is displayed (after /Rotate and /CropBox), as
`(x0, y0, x1, y1)` with x0 <= x1 and y0 <= y1. Ids are stable for the same bytes and the same engine version.

The JSON form of `Document` is the public schema; `SCHEMA_VERSION` grows its minor number when a field is added and its
major number when one changes meaning or goes.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from ndfd.model.sandbox import Confinement

SCHEMA_VERSION = "1.1"

BBox = tuple[float, float, float, float]


class BlockKind(enum.StrEnum):
    """What a block is on its page."""

    TITLE = "title"
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE = "table"
    CAPTION = "caption"
    FOOTNOTE = "footnote"
    HEADER = "header"
    FOOTER = "footer"
    FORMULA = "formula"
    FIGURE = "figure"
    CODE = "code"


class PageStatus(enum.StrEnum):
    """Whether everything on the page is in the record."""

    OK = "ok"
    PARTIAL = "partial"
    FAILED = "failed"


class Span(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run of text in one style. A block whose text is all in plain style has no spans."""

    text: str
    bold: bool = False
    italic: bool = False
    mono: bool = False
    #: URI that the run links to.
    link: str | None = None


class Cell(msgspec.Struct, frozen=True, omit_defaults=True):
    """One cell of a table; `row` and `column` are 0-based and name its top-left grid position."""

    text: str
    row: int
    column: int
    row_span: int = 1
    column_span: int = 1
    header: bool = False
    bbox: BBox | None = None


class Table(msgspec.Struct, frozen=True):
    """A grid of `rows` x `columns`; cells in reading order, each grid position covered by at most one cell."""

    rows: int
    columns: int
    cells: tuple[Cell, ...]


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """One piece of a page in reading order."""

    #: "p3-b12": page number and 1-based place in reading order.
    id: str
    kind: BlockKind
    #: Plain text, whole words joined over line ends; for a table its cells, tab- and newline-separated.
    text: str
    bbox: BBox
    #: 0.0 to 1.0: how sure the pipeline is of `kind` and of the text.
    confidence: float = 1.0
    #: 1 to 6 for headings, 1 for the title, nesting depth from 1 for list items.
    level: int | None = None
    #: The label as printed, for list items ("•", "3.", "(a)").
    marker: str | None = None
    spans: tuple[Span, ...] = ()
    table: Table | None = None
    #: "text" when the engine read it, "form" for a form field's value, "annotation" for an annotation's text.
    source: str = "text"


class Annotation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A comment that a reader attached to the page (not its visible text, which stands in the blocks)."""

    subtype: str
    bbox: BBox
    text: str


class Image(msgspec.Struct, frozen=True):
    """A raster image that the page shows."""

    bbox: BBox
    #: Size of the raster in pixels.
    width_px: int
    height_px: int


class Page(msgspec.Struct, frozen=True, omit_defaults=True):
    """One page of the input; every page of it is in the record, with its status."""

    #: 1-based.
    number: int
    #: Size as displayed, in points.
    width: float
    height: float
    #: Clockwise degrees the viewer turns the page: 0, 90, 180 or 270. Coordinates are given after it.
    rotation: int
    status: PageStatus
    #: Why the page is partial or failed; one clause each.
    reasons: tuple[str, ...] = ()
    #: The page's printed label where the document has labels ("iv", "A-3").
    label: str | None = None
    blocks: tuple[Block, ...] = ()
    images: tuple[Image, ...] = ()
    annotations: tuple[Annotation, ...] = ()


class OutlineItem(msgspec.Struct, frozen=True):
    """One bookmark of the document's outline."""

    title: str
    #: 1 for the top level.
    level: int
    #: 1-based target page; None where the bookmark has none.
    page: int | None


class Provenance(msgspec.Struct, frozen=True, omit_defaults=True):
    """What made the record, so that it can be made again."""

    ndfd: str
    #: "pdfium 159.0.8149".
    engine: str
    #: "c" or "python": which implementation of the kernels ran.
    native: str
    #: SHA-256 of the input bytes, hexadecimal.
    sha256: str
    #: What confined the process that read the document, as it was measured before it had seen one; absent where nothing
    #: did. Like all of the record it is written by that process: whoever does not trust it asks for the conversion's
    #: report, whose `sandbox` is the daemon's own word.
    sandbox: Confinement | None = None


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the bytes came from, as far as the caller said."""

    size_bytes: int
    name: str | None = None


class Document(msgspec.Struct, frozen=True):
    """A whole document as a structured record."""

    schema_version: str
    #: "sha256:" and the first 32 hexadecimal digits of the input's SHA-256.
    id: str
    source: Source
    media_type: str
    #: Title, author, subject, keywords, creator, producer, created, modified: those the document has.
    metadata: dict[str, str]
    pages: tuple[Page, ...]
    outline: tuple[OutlineItem, ...]
    provenance: Provenance


def document_json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of `Document`, as served in the OpenAPI description."""
    return msgspec.json.schema(Document)
