"""Headings by the document's own font statistics, its numbering, its outline and its structure.

Body text is the size and weight of most characters. A heading is a short block that stands alone and is larger, or
bold, or numbered in a style of its own. Levels follow the sizes found, and numbering where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ndfd.document.draft import Draft, PageDraft
from ndfd.document.page import is_text
from ndfd.model.document import BlockKind, OutlineItem
from ndfd.native import pdftext

#: Times the body size from which on a block is larger; and as large that nothing else is needed.
LARGER = 1.08
#: Characters and rows of a heading at most.
CHARS_MAX = 220
ROWS_MAX = 4
LEVEL_MAX = 6
#: The longest of the well-known names of sections, with a number.
KNOWN_CHARS_MAX = 40
#: A title stands in this share of the first page.
TITLE_WITHIN = 0.6

_NUMBERED = re.compile(
    r"(?P<number>\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+(?=[^\W\d_])"
    r"|(?P<word>Chapter|Part|Appendix|Annex|Section|Article|Kapitel|Chapitre|Capítulo)\s+(?:\d{1,3}|[A-Z]|[IVXLC]{1,6})\b"
    r"|(?P<letter>[A-Z](?P<tail>(?:\.\d{1,2}){0,4})|[IVX]{1,5})[.)]\s+(?=[^\W\d_])"
)
_KNOWN = frozenset(
    (
        *(
            "abstract",
            "acknowledgement",
            "acknowledgements",
            "acknowledgments",
            "appendix",
            "background",
            "bibliography",
        ),
        *("conclusion", "conclusions", "contents", "discussion", "executive summary", "foreword", "glossary", "index"),
        *("introduction", "materials and methods", "methods", "overview", "preface", "references", "related work"),
        *("results", "results and discussion", "summary", "table of contents"),
    )
)
_ROLES = {"H1": 1, "H2": 2, "H3": 3, "H4": 4, "H5": 5, "H6": 6, "H": 0, "Title": 0}
#: A sentence's end is no heading's, unless it is numbered; neither is a comma.
_SENTENCE_ENDS = (".", ",", ";", ":", "!")
_CLOSING = " \"'”’»)]"
_SPACES = re.compile(r"\W+")


def mark_headings(pages: list[PageDraft], outline: Sequence[OutlineItem]) -> None:
    """Sets kind and level of headings, and the title on the first page that has text."""
    body = body_size(pages)
    if not body:
        return
    bookmarks = _outline_levels(outline)
    found: list[tuple[Draft, int]] = []
    bold_body = _mostly_bold(pages, body)
    for page in pages:
        blocks = page.blocks
        entries = bookmarks.get(page.number, {})
        for i, draft in enumerate(blocks):
            if draft.rows > ROWS_MAX or not draft.text or not is_text(draft) or draft.direction:
                continue
            rank = _rank(draft, body, bold_body, entries)
            if rank >= 0 and _leads(blocks, i):
                found.append((draft, rank))
    title = _title(pages, found, body)
    found = [(draft, rank) for draft, rank in found if draft is not title]
    if title is not None:
        bylines = _bylines(pages, title, found)
        found = [(draft, rank) for draft, rank in found if id(draft) not in bylines]
    _set_levels(found)


def body_size(pages: list[PageDraft]) -> float:
    """The size of most characters of the document's running text; 0.0 when there is none."""
    mass: dict[float, int] = {}
    for page in pages:
        for draft in page.blocks:
            if draft.kind is BlockKind.PARAGRAPH:
                mass[draft.size] = mass.get(draft.size, 0) + draft.chars
    return max(mass, key=lambda size: mass[size]) if mass else 0.0


def _mostly_bold(pages: list[PageDraft], body: float) -> bool:
    bold = plain = 0
    for page in pages:
        for draft in page.blocks:
            if draft.size == body:
                if draft.flags & pdftext.BOLD:
                    bold += draft.chars
                else:
                    plain += draft.chars
    return bold > plain


def _outline_levels(outline: Sequence[OutlineItem]) -> dict[int, dict[str, int]]:
    """Levels by page and folded title."""
    levels: dict[int, dict[str, int]] = {}
    for item in outline:
        if item.page is not None:
            levels.setdefault(item.page, {})[_folded(item.title)] = min(item.level, LEVEL_MAX)
    return levels


def _folded(text: str) -> str:
    return _SPACES.sub("", text).casefold()


def _rank(draft: Draft, body: float, bold_body: bool, entries: dict[str, int]) -> int:
    """-1: no heading; 1 to 6: the level that the document itself gives; 0: a heading by its looks."""
    text = draft.text
    length = len(text)
    if length > CHARS_MAX:
        return -1
    if draft.note:
        level = _ROLES.get(draft.note)
        if level is not None:
            return level
    if entries:
        level = entries.get(_folded(text))
        if level is not None:
            return level
    if length > KNOWN_CHARS_MAX and not draft.flags and draft.size < LARGER * body and not text.isupper():
        return -1
    letters = sum(map(str.isalpha, text[:40]))
    if letters < 2 or letters < 0.5 * len(text[:40].replace(" ", "")) or draft.math * 3 > draft.chars:
        return -1
    return 0 if _looks(draft, text, body, bold_body) else -1


def _looks(draft: Draft, text: str, body: float, bold_body: bool) -> bool:
    known = _folded_known(text)
    if known and draft.rows == 1:
        return True
    if draft.marker_kind and not _NUMBERED.match(text):
        return False
    numbered = _NUMBERED.match(text) is not None
    sentence = text.rstrip(_CLOSING).endswith(_SENTENCE_ENDS)
    if draft.size >= LARGER * body:
        return numbered or not (sentence and draft.rows > 1)
    if draft.rows > 3 or (sentence and not numbered) or draft.size < 0.8 * body:
        return False
    if draft.flags & pdftext.BOLD and not bold_body:
        return draft.size >= 0.93 * body and (text[0].isupper() or numbered)
    if not numbered or draft.rows > 2 or text[-1] in ".;,":
        return False
    # Plain numbered lines are list items unless their style is a heading's: capitals, italics, or set in the middle.
    return text.isupper() or bool(draft.flags & pdftext.ITALIC) or _small_capitals(draft, body)


def _folded_known(text: str) -> bool:
    if len(text) > KNOWN_CHARS_MAX:
        return False
    words = text.strip(" .:—-").casefold()
    match = _NUMBERED.match(text)
    return words in _KNOWN or (match is not None and text[match.end() :].strip(" .:").casefold() in _KNOWN)


def _small_capitals(draft: Draft, body: float) -> bool:
    return draft.text.upper() == draft.text and draft.size < body


def _leads(blocks: list[Draft], index: int) -> bool:
    """Nothing stands beside it at its right: a heading has its line for itself."""
    draft = blocks[index]
    following = blocks[index + 1] if index + 1 < len(blocks) else None
    if following is None:
        return True
    beside = abs(following.bbox[1] - draft.bbox[1]) < 0.5 * draft.size and following.bbox[0] > draft.bbox[2]
    return not beside


def _title(pages: list[PageDraft], found: list[tuple[Draft, int]], body: float) -> Draft | None:
    """The largest block of the first page's upper part, when nothing there is as large and it is larger than body."""
    page = next((page for page in pages if page.blocks), None)
    if page is None or page.number > 3:
        return None
    own = {id(draft) for draft in page.blocks}
    candidates = [
        draft
        for draft, _ in found
        if id(draft) in own and draft.bbox[1] < TITLE_WITHIN * page.height and not _NUMBERED.match(draft.text)
    ]
    largest = max(candidates, key=lambda draft: draft.size, default=None)
    if largest is None or largest.size < 1.15 * body:
        return None
    if any(draft is not largest and draft.size > largest.size for draft, _ in found):
        return None
    largest.kind = BlockKind.TITLE
    largest.level = 1
    return largest


def _bylines(pages: list[PageDraft], title: Draft, found: list[tuple[Draft, int]]) -> set[int]:
    """Ids of the lines centred below the title, authors and the like, in a style that no heading has."""
    by_looks = {id(draft) for draft, rank in found if rank == 0}
    page = next(page for page in pages if any(draft is title for draft in page.blocks))
    after = next(i for i, draft in enumerate(page.blocks) if draft is title) + 1
    lines: dict[int, Draft] = {}
    for draft in page.blocks[after:]:
        if id(draft) not in by_looks or depth_of_number(draft.text) or _folded_known(draft.text):
            break
        if not _shares_axis(draft, title):
            break
        lines[id(draft)] = draft
    others = {_style(draft) for draft, _ in found if id(draft) not in lines}
    return {key for key, draft in lines.items() if _style(draft) not in others}


def _shares_axis(draft: Draft, title: Draft) -> bool:
    """Both are set around one middle, which shows where they are not equally wide."""
    left, right = draft.bbox[0] - title.bbox[0], title.bbox[2] - draft.bbox[2]
    return abs(left - right) < draft.size and abs(left) > draft.size


def depth_of_number(text: str) -> int:
    """1 for "3 Methods", 2 for "3.1 Data", "A.1 Proofs"; 0 for no number."""
    match = _NUMBERED.match(text)
    if match is None:
        return 0
    if match["number"]:
        return match["number"].count(".") + 1
    if match["word"]:
        return 1
    return (match["tail"] or "").count(".") + 1


Style = tuple[float, bool, bool]


def _style(draft: Draft) -> Style:
    return -draft.size, not draft.flags & pdftext.BOLD, not draft.text.isupper()


def _set_levels(found: list[tuple[Draft, int]]) -> None:
    """Levels: the document's own; else by style, larger first; numbering decides within what it numbers."""
    styles: dict[Style, int] = {}
    by_looks = [draft for draft, rank in found if rank <= 0]
    depths = {id(draft): depth_of_number(draft.text) for draft in by_looks}
    for style in sorted({_style(draft) for draft in by_looks}):
        styles[style] = len(styles) + 1
    top = min((styles[_style(draft)] for draft in by_looks if depths[id(draft)] == 1), default=1)
    for draft, rank in found:
        draft.kind = BlockKind.HEADING
        level = rank
        if rank <= 0:
            depth = depths[id(draft)]
            letter = depth == 1 and not draft.text[0].isdigit()
            level = top + depth - 1 if depth and not letter else styles[_style(draft)]
            draft.confidence = 0.9 if depth else 0.75
        draft.level = max(1, min(level, LEVEL_MAX))
