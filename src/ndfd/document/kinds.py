"""What the remaining blocks are: list items, captions, footnotes, code, formulas."""

from __future__ import annotations

import re

from ndfd.document.draft import Draft, PageDraft
from ndfd.document.page import is_text
from ndfd.model.document import BlockKind
from ndfd.native import layout as kernel
from ndfd.native import pdftext

_CAPTION = re.compile(
    r"(?:Fig(?:ure|\.)?|Table|Tab\.|Scheme|Chart|Algorithm|Listing|Plate|Box|Exhibit|Abbildung|Abb\.|Tabelle|Tableau|Figura|Tabla)"
    r"\s*(?:[A-Z]?\d+(?:[.\-]\d+)*[A-Za-z]?|[IVXLC]+)\s*(?:[.:|–—-]|\s(?=[A-Z(])|$)"
)
#: A caption written in words that go on as a sentence ("Figure 3 shows ...") has no mark after its number.
_MARKED = re.compile(r"\S+\s*\S+?[.:|–—]")
_NOTE_MARK = re.compile(r"(?:\d{1,3}|[*†‡§¶]{1,3}|[a-z])[.)]?\s*\S")
_OPERATORS = re.compile(r"[=<>≤≥≈≡∈∑∏∫√±×→↔∞∂∇⊗⊕∀∃⊂⊆∪∩≠∼∝·+−]")
_FORMULA_NUMBER = re.compile(r"\(\s*[A-Z]?\.?\d+(?:\.\d+)*[a-z]?\s*\)\s*$")
_WORDS = re.compile(r"[A-Za-z]{4,}")

#: Share of the page's height below which footnotes stand, and their size against the body's.
FOOT = 0.5
NOTE_SIZE = 0.92
#: Points of indent that make one more level of a list.
NEST = 8.0
NEST_MAX = 6


def mark_kinds(pages: list[PageDraft], body: float) -> None:
    """Settles every block that is still a paragraph."""
    for page in pages:
        blocks = page.blocks
        notes_from = _first_note(page, body)
        for i, draft in enumerate(blocks):
            if draft.kind is not BlockKind.PARAGRAPH:
                continue
            if draft.code or draft.flags & pdftext.MONO:
                if draft.flags & pdftext.MONO and draft.rows > 1:
                    draft.kind = BlockKind.CODE
            elif is_text(draft):
                if draft.marker_kind and draft.marker:
                    _mark_item(draft)
                elif _CAPTION.match(draft.text) and _is_caption(draft, body):
                    draft.kind = BlockKind.CAPTION
                elif i >= notes_from and _is_note(draft, body):
                    draft.kind = BlockKind.FOOTNOTE
                elif _is_formula(draft):
                    draft.kind = BlockKind.FORMULA
        _nest(blocks)


def _mark_item(draft: Draft) -> None:
    draft.kind = BlockKind.LIST_ITEM
    marker = draft.marker or ""
    draft.text = draft.text[len(marker) :].lstrip()
    if draft.spans:
        draft.spans = _without(draft.spans, len(marker))
    if marker == "\ufffd":
        # A symbol of a font without encoding that begins a line and stands alone is a bullet in all but its code.
        draft.marker = "•"
    if not draft.text:
        draft.kind, draft.text, draft.marker = BlockKind.PARAGRAPH, marker, None


def _without(spans: tuple[tuple[str, int, str | None], ...], count: int) -> tuple[tuple[str, int, str | None], ...]:
    left: list[tuple[str, int, str | None]] = []
    for text, style, link in spans:
        rest = text[count:]
        count = max(0, count - len(text))
        if not left:
            rest = rest.lstrip()
        if rest:
            left.append((rest, style, link))
    return tuple(left)


def _is_caption(draft: Draft, body: float) -> bool:
    return draft.size < 0.97 * body or bool(draft.flags) or bool(draft.spans) or _MARKED.match(draft.text) is not None


def _first_note(page: PageDraft, body: float) -> int:
    """Index from which on all blocks of the page's lower half are small: there footnotes may stand."""
    first = len(page.blocks)
    for i in range(len(page.blocks) - 1, -1, -1):
        draft = page.blocks[i]
        if draft.kind in (BlockKind.FOOTER, BlockKind.HEADER) or draft.direction:
            continue
        if draft.size > NOTE_SIZE * body or draft.bbox[1] < FOOT * page.height or draft.kind is not BlockKind.PARAGRAPH:
            if draft.bbox[1] < FOOT * page.height or draft.size > NOTE_SIZE * body:
                # Another column's text may stand between the notes and the page's end.
                if draft.first_in_leaf:
                    continue
                if first < len(page.blocks):
                    break
            continue
        first = i
    return first


def _is_note(draft: Draft, body: float) -> bool:
    return draft.size <= NOTE_SIZE * body and _NOTE_MARK.match(draft.text) is not None


def _is_formula(draft: Draft) -> bool:
    """Mostly of fonts of mathematics, or operators and a number at the right, with next to no words."""
    if draft.rows > 6 or draft.chars < 3:
        return False
    text = draft.text
    if not draft.math and (len(text) > 200 or _OPERATORS.search(text) is None):
        return False
    words = sum(map(len, _WORDS.findall(text)))
    if words * 3 > draft.chars:
        return False
    if draft.math * 2 >= draft.chars:
        return True
    return _OPERATORS.search(text) is not None and (
        draft.math * 4 >= draft.chars or _FORMULA_NUMBER.search(text) is not None
    )


def _nest(blocks: list[Draft]) -> None:
    """Levels of list items by their indent within their run of items."""
    edges: list[float] = []
    for draft in blocks:
        if draft.kind is not BlockKind.LIST_ITEM:
            if draft.kind in (BlockKind.HEADING, BlockKind.TITLE, BlockKind.TABLE) or (
                draft.kind is BlockKind.PARAGRAPH and edges and draft.bbox[0] < edges[0] - NEST
            ):
                edges = []
            continue
        left = draft.bbox[0]
        while edges and left < edges[-1] - NEST:
            edges.pop()
        if (not edges or left > edges[-1] + NEST) and len(edges) < NEST_MAX:
            edges.append(left)
        draft.level = max(len(edges), 1)


def is_bullet(draft: Draft) -> bool:
    """Marked by a sign rather than by a number."""
    return draft.marker_kind == kernel.BULLET
