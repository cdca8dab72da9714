"""Running headers, footers and page numbers: what stands at the same place of many pages."""

from __future__ import annotations

import re
from collections import defaultdict

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

_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"[-–—\s|\[(]*(?:page|p\.|seite|pág(?:ina)?\.?)?\s*(?:\d{1,5}|[ivxlc]{1,7})(?:\s*(?:of|/|von|de)\s*\d{1,5})?[-–—\s|\])]*",
    re.IGNORECASE,
)

Key = tuple[str, int, bool]


def mark_furniture(pages: list[PageDraft]) -> None:
    """Marks headers and footers by what repeats over the document's pages, digits masked, and lone page numbers."""
    seen: defaultdict[Key, list[tuple[PageDraft, Draft]]] = defaultdict(list)
    for page in pages:
        for draft, top in _edges(page):
            text = draft.text
            if _PAGE_NUMBER.fullmatch(text):
                draft.kind = BlockKind.HEADER if top else BlockKind.FOOTER
            masked = _DIGITS.sub("#", text).casefold()
            # A place on the border of two cells is looked for in both.
            y = draft.bbox[1] if top else page.height - draft.bbox[1]
            seen[masked, int(y // PLACE), top].append((page, draft))
            seen[masked, int(y // PLACE) + 1, top].append((page, draft))
    least = max(PAGES_MIN, SHARE_MIN * min(len(pages), 200)) if len(pages) > 3 else 2
    for (_, _, top), places in seen.items():
        if len({page.number for page, _ in places}) >= least:
            for _, draft in places:
                draft.kind = BlockKind.HEADER if top else BlockKind.FOOTER


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
