"""Running headers, footers and page numbers: what stands at the same place of many pages."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from ndfd.document.draft import Draft, PageDraft
from ndfd.model.document import BlockKind

#: Shares of the page's height in which headers and footers stand.
HEAD, FOOT = 0.12, 0.88
#: Rows of a running header at most.
ROWS_MAX = 3
#: Pages on which a text must stand, and their share of the document's: a chapter's header runs over a few pages only.
PAGES_MIN = 3
SHARE_MIN = 0.05
#: Points within which two places are one.
PLACE = 6.0

#: What changes from page to page: digits, and a roman number at either end.
_NUMBERS = re.compile(r"\d+|^[ivxlc]+\b|\b[ivxlc]+$", re.IGNORECASE)
_PAGE_NUMBER = re.compile(
    r"[-–—\s|\[(]*(?:page|p\.|seite|pág(?:ina)?\.?)?\s*(?:\d{1,5}|[ivxlc]{1,7})(?:\s*(?:of|/|von|de)\s*\d{1,5})?[-–—\s|\])]*",
    re.IGNORECASE,
)

Key = tuple[str, int, bool]


def mark_furniture(pages: list[PageDraft]) -> None:
    """Marks headers and footers by what repeats over the document's pages, numbers masked, and lone page numbers.

    Where nothing but furniture would be left of the document, that is its text and stays as it is.
    """
    marked = {id(draft): (draft, kind) for draft, kind in _furniture(pages)}
    if any(draft.text and id(draft) not in marked for page in pages for draft in page.blocks):
        for draft, kind in marked.values():
            draft.kind = kind


def _furniture(pages: list[PageDraft]) -> Iterator[tuple[Draft, BlockKind]]:
    seen: defaultdict[Key, list[tuple[int, Draft]]] = defaultdict(list)
    for page in pages:
        for draft, top in _edges(page):
            text = draft.text
            if _PAGE_NUMBER.fullmatch(text):
                yield draft, _kind(top)
            masked = _NUMBERS.sub("#", text).casefold()
            # A place on the border of two cells is looked for in both.
            y = int((draft.bbox[1] if top else page.height - draft.bbox[1]) // PLACE)
            seen[masked, y, top].append((page.number, draft))
            seen[masked, y + 1, top].append((page.number, draft))
    least = max(PAGES_MIN, SHARE_MIN * min(len(pages), 200)) if len(pages) > 3 else 2
    for (_, _, top), places in seen.items():
        if len(places) >= least and len({number for number, _ in places}) >= least:
            for _, draft in places:
                yield draft, _kind(top)


def _kind(top: bool) -> BlockKind:
    return BlockKind.HEADER if top else BlockKind.FOOTER


def _edges(page: PageDraft) -> list[tuple[Draft, bool]]:
    """Blocks that may be furniture, with whether they stand at the top."""
    head, foot = HEAD * page.height, FOOT * page.height
    edges = []
    for draft in page.blocks:
        box = draft.bbox
        if draft.rows <= ROWS_MAX and draft.text and draft.source == "text" and draft.kind is BlockKind.PARAGRAPH:
            if box[3] <= head:
                edges.append((draft, True))
            elif box[1] >= foot:
                edges.append((draft, False))
    return edges
