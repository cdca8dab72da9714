"""The working form of blocks and pages: what the stages read and settle before the frozen values are made."""

from __future__ import annotations

from dataclasses import dataclass, field

from ndfd.model.document import Annotation, BBox, BlockKind, Image, PageStatus, Table

#: Text, style bits (BOLD, ITALIC, MONO) and the URI it links to.
StyledText = tuple[str, int, str | None]

_PARAGRAPH = BlockKind.PARAGRAPH


class Draft:
    """One block while its kind is still open. A plain class with slots: a long document holds hundreds of thousands."""

    __slots__ = (
        "bbox",
        "centred",
        "chars",
        "code",
        "confidence",
        "direction",
        "first_in_leaf",
        "flags",
        "kind",
        "left",
        "level",
        "marker",
        "marker_kind",
        "math",
        "mcid",
        "note",
        "right",
        "rows",
        "size",
        "source",
        "spans",
        "table",
        "text",
    )

    def __init__(
        self,
        text: str,
        bbox: BBox,
        size: float,
        chars: int,
        flags: int,
        rows: int = 1,
        left: float | None = None,
        right: float | None = None,
        math: int = 0,
        direction: int = 0,
        mcid: int = -1,
        marker_kind: int = 0,
    ) -> None:
        self.text = text
        self.bbox = bbox
        #: Of most characters, points, to a tenth.
        self.size = size
        self.chars = chars
        #: Style of most characters (BOLD, ITALIC, MONO).
        self.flags = flags
        self.kind = _PARAGRAPH
        self.confidence = 1.0
        self.level: int | None = None
        self.marker: str | None = None
        #: 0, or layout.BULLET or layout.NUMBER.
        self.marker_kind = marker_kind
        self.spans: tuple[StyledText, ...] = ()
        self.table: Table | None = None
        self.source = "text"
        #: Rows of text.
        self.rows = rows
        #: Of the rows it stands among, along the text.
        self.left = bbox[0] if left is None else left
        self.right = bbox[2] if right is None else right
        #: Characters in fonts of mathematics.
        self.math = math
        #: Quarter turns of its text.
        self.direction = direction
        self.mcid = mcid
        self.centred = False
        self.first_in_leaf = False
        #: Its line ends are part of it.
        self.code = False
        #: Role that the document's own structure gives it ("H1", "Caption"); "".
        self.note = ""


@dataclass(slots=True)
class PageDraft:
    """One page with its blocks in reading order; `blocks` is empty for a page that the engine cannot load."""

    number: int
    width: float = 0.0
    height: float = 0.0
    rotation: int = 0
    label: str | None = None
    status: PageStatus = PageStatus.OK
    reasons: tuple[str, ...] = ()
    blocks: list[Draft] = field(default_factory=list)
    images: tuple[Image, ...] = ()
    annotations: tuple[Annotation, ...] = ()
