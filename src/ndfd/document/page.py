"""The arrays of one page -> its draft blocks in reading order.

All that is done per character, word or row is the kernel's; here objects are made per block.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from ndfd.document.characters import normalised
from ndfd.document.draft import Draft, PageDraft, StyledText
from ndfd.document.figures import figures, images, place
from ndfd.document.fonts import MathFonts
from ndfd.document.grids import Grid, find_grids
from ndfd.document.quality import Verdict, judge
from ndfd.document.subrows import Lines, split_rows
from ndfd.document.tables import table_draft, table_of_grid, table_of_rows
from ndfd.model.document import Annotation, BlockKind, PageStatus
from ndfd.native import layout as kernel
from ndfd.native import pdftext

STYLE = pdftext.BOLD | pdftext.ITALIC | pdftext.MONO
NOTES = pdftext.FIELD | pdftext.ANNOTATION
#: Flags of a block that make more of it than a paragraph of ordinary text.
_UNUSUAL = kernel.CENTRED | kernel.FIRST_IN_LEAF | kernel.TABULAR | pdftext.MONO | NOTES
#: Confidence of a table by how it was found.
RULED, GAPPED = 0.95, 0.7
#: Share of the lines in a grid's cells that may have gaps; with more, its rules leave out columns.
GAPPED_MAX = 0.3
#: Fewer rules than this draw no grid.
RULES_MIN = 4
#: The kinds of annotations that hold a form field's value rather than a comment.
_FIELD_KINDS = frozenset(("text", "checkbox", "radio", "choice", "signature", "button"))


def read_page(arrays: pdftext.PageArrays, number: int, fonts: Sequence[pdftext.Font], math: MathFonts) -> PageDraft:
    """One page's blocks, without what only the whole document can tell (headings, running headers)."""
    table = math.update(fonts)
    links = _link_boxes(arrays.links) if arrays.links else None
    grids = find_grids(arrays) if arrays.rule_count >= RULES_MIN else []
    layout, tables = _lay_out(arrays, table, links, grids)
    blocks = _drafts(layout, tables, arrays.links)
    if arrays.tags:
        _note_roles(blocks, arrays.tags)
    if arrays.image_count:
        place(figures(arrays), blocks)
    verdict = judge(arrays, layout, fonts) if layout.garbage or arrays.image_count or not blocks else Verdict()
    return PageDraft(
        number,
        arrays.width,
        arrays.height,
        arrays.rotation,
        arrays.label,
        PageStatus.PARTIAL if verdict.reasons else PageStatus.OK,
        verdict.reasons,
        blocks,
        images(arrays) if arrays.image_count else (),
        _annotations(arrays.form_texts) if arrays.form_texts else (),
    )


def _link_boxes(links: Sequence[pdftext.Link]) -> array[float]:
    boxes = array("f")
    for link in links:
        boxes.extend(link.bbox if link.uri else (0.0, 0.0, -1.0, -1.0))
    return boxes


def _lay_out(
    arrays: pdftext.PageArrays, math: bytes, links: array[float] | None, grids: list[Grid]
) -> tuple[kernel.Layout, dict[int, Draft]]:
    """The layout with the grids that turn out to be tables, by group; without those that do not."""
    while grids:
        frames, groups = array("f"), array("i")
        for group, grid in enumerate(grids):
            for cell in grid.cells:
                frames.extend(cell.box)
                groups.append(group)
        layout = kernel.analyse(arrays, math, frames, groups, links)
        tables = _tables(layout, grids)
        if len(tables) == len(grids):
            return layout, tables
        grids = [grid for group, grid in enumerate(grids) if group in tables]
    return kernel.analyse(arrays, math, None, None, links), {}


def _tables(layout: kernel.Layout, grids: list[Grid]) -> dict[int, Draft]:
    texts: list[dict[int, str]] = [{} for _ in grids]
    lines: list[dict[int, Lines]] = [{} for _ in grids]
    gapped = [0] * len(grids)
    starts = [0]
    for grid in grids:
        starts.append(starts[-1] + len(grid.cells))
    for block in layout.blocks:
        if block.frame >= 0:
            cell = block.frame - starts[block.group]
            texts[block.group][cell] = _block_text(layout.text, block)
            rows = layout.rows(block.first_row, block.rows)
            lines[block.group][cell] = [(row.base, layout.text[row.text_start : row.text_end]) for row in rows]
            gapped[block.group] += sum(row.fragments > 1 for row in rows)
    tables: dict[int, Draft] = {}
    for group, grid in enumerate(grids):
        if gapped[group] > GAPPED_MAX * sum(map(len, lines[group].values())):
            continue
        table = table_of_grid(*split_rows(grid, texts[group], lines[group]))
        if table is not None:
            tables[group] = table_draft(table, grid.box, layout.em, RULED)
    return tables


def _block_text(text: str, block: kernel.Block) -> str:
    own = text[block.text_start : block.text_end]
    return normalised(own) if block.flags & kernel.NORMALISE else own


def _drafts(layout: kernel.Layout, tables: dict[int, Draft], links: Sequence[pdftext.Link]) -> list[Draft]:
    drafts: list[Draft] = []
    runs, run_at, run_count = layout.runs, 0, len(layout.runs)
    text, group = layout.text, -1
    for index, block in enumerate(layout.blocks):
        start = run_at
        while run_at < run_count and runs[run_at].block == index:
            run_at += 1
        if block.frame >= 0:
            if block.group != group:
                group = block.group
                drafts.append(tables[group])
            continue
        if block.flags & kernel.TABULAR:
            table = table_of_rows(layout, block)
            if table is not None:
                box = (block.x0, block.y0, block.x1, block.y1)
                drafts.append(table_draft(table, box, block.size, GAPPED))
                continue
        draft = _draft(text, block)
        if start < run_at or block.flags & STYLE:
            draft.spans = _spans(text, block, runs[start:run_at], links)
        drafts.append(draft)
    return drafts


def _draft(text: str, block: kernel.Block) -> Draft:
    flags, marker = block.flags, block.marker
    own = text[block.text_start : block.text_end]
    if flags & kernel.NORMALISE:
        own = normalised(own)
    draft = Draft(
        own,
        (block.x0, block.y0, block.x1, block.y1),
        block.size,
        block.chars,
        flags & STYLE,
        block.rows,
        block.math,
        block.direction,
        block.mcid,
        marker,
    )
    if not (marker or flags & _UNUSUAL):
        return draft
    if marker:
        draft.marker = own[: block.marker_chars]
    draft.first_in_leaf = bool(flags & kernel.FIRST_IN_LEAF)
    if flags & kernel.TABULAR:
        draft.code = True
        draft.text = own.replace("\t", "  ")
    elif flags & pdftext.MONO:
        draft.code = block.rows > 1
    if flags & NOTES:
        draft.source = "form" if flags & pdftext.FIELD else "annotation"
    return draft


def _spans(
    text: str, block: kernel.Block, runs: Sequence[kernel.Run], links: Sequence[pdftext.Link]
) -> tuple[StyledText, ...]:
    """The whole text of a block as runs of one style each."""
    style, at, end = block.flags & STYLE, block.text_start, block.text_end
    normalise = block.flags & kernel.NORMALISE
    spans: list[StyledText] = []
    for start, stop, own, link, _ in runs:
        if start > at:
            spans.append((text[at:start], style, None))
        spans.append((text[start:stop], own, links[link].uri if link >= 0 else None))
        at = stop
    if at < end:
        spans.append((text[at:end], style, None))
    if normalise:
        spans = [(normalised(part), bits, uri) for part, bits, uri in spans]
    return tuple(spans)


def _note_roles(blocks: list[Draft], tags: Sequence[pdftext.Tag]) -> None:
    roles: dict[int, str] = {}
    for tag in tags:
        for mcid in tag.mcids:
            roles[mcid] = tag.role
    for draft in blocks:
        if draft.mcid >= 0:
            draft.note = roles.get(draft.mcid, "")


def _annotations(texts: Sequence[pdftext.FormText]) -> tuple[Annotation, ...]:
    """Comments: what stands nowhere on the page."""
    return tuple(
        Annotation(note.kind, note.bbox, note.text)
        for note in texts
        if note.first_char < 0 and note.text and note.kind not in _FIELD_KINDS
    )


def is_text(draft: Draft) -> bool:
    """Running text, as against tables, figures and what fields say."""
    return draft.kind is BlockKind.PARAGRAPH and draft.source == "text" and not draft.code
