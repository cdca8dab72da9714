"""The working form of blocks and pages: what the stages read and settle before the frozen values are made.

Encoded (`ndfd.document.parts`), the pages of a part go from the worker that read them to the one that puts the document
together. They are decoded strictly: what a field may hold is what its type says.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ndfd.model.document import Annotation, BBox, BlockKind, Image, PageStatus, Table

#: Bits for BOLD, ITALIC and MONO (`native.pdftext`).
Style = Annotated[int, msgspec.Meta(ge=0, le=7)]
#: Text, style bits and the URI it links to.
StyledText = tuple[str, Style, str | None]


class Draft(msgspec.Struct, array_like=True, forbid_unknown_fields=True, eq=False, gc=False):
    """One block while its kind is still open.

    A long document holds hundreds of thousands: they are told apart by identity, and the collector never looks at them
    (they cannot be part of a cycle).
    """

    text: str
    bbox: BBox
    #: Of most characters, points, to a tenth.
    size: float
    chars: int
    #: Style of most characters.
    flags: Style
    #: Rows of text.
    rows: int = 1
    #: Characters in fonts of mathematics.
    math: int = 0
    #: Quarter turns of its text.
    direction: int = 0
    mcid: int = -1
    #: 0, or layout.BULLET or layout.NUMBER.
    marker_kind: int = 0
    kind: BlockKind = BlockKind.PARAGRAPH
    confidence: float = 1.0
    level: int | None = None
    marker: str | None = None
    spans: tuple[StyledText, ...] = ()
    table: Table | None = None
    #: Of these values alone: a record leaves out what is its default by identity, and only so it stays the same object.
    source: Literal["text", "form", "annotation"] = "text"
    first_in_leaf: bool = False
    #: Its line ends are part of it.
    code: bool = False
    #: Role that the document's own structure gives it ("H1", "Caption"); "".
    note: str = ""


class PageDraft(msgspec.Struct, array_like=True, forbid_unknown_fields=True, eq=False, gc=False):
    """One page with its blocks in reading order; `blocks` is empty for a page that the engine cannot load."""

    number: int
    width: float = 0.0
    height: float = 0.0
    rotation: int = 0
    label: str | None = None
    status: PageStatus = PageStatus.OK
    reasons: tuple[str, ...] = ()
    blocks: list[Draft] = msgspec.field(default_factory=list)
    images: tuple[Image, ...] = ()
    annotations: tuple[Annotation, ...] = ()
