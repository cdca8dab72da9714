"""Grids and rows with gaps -> tables."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence

from ndfd.document.draft import Draft
from ndfd.document.grids import Grid
from ndfd.model.document import BlockKind, Cell, Table
from ndfd.native import layout as kernel

#: A grid with text in fewer of its cells than this share is a chart or a form's boxes.
FILLED_MIN = 0.15
#: Table-like rows without rules: the least rows and share of filled cells, and the most conflicts for each row.
ROWS_MIN = 3
GAPPED_FILL_MIN = 0.45
CONFLICTS_MAX = 0.2
#: Share of the rows that may reach into a white column between two columns (headers that span).
ACROSS_MAX = 0.15
#: Characters of a cell in the mean: more is running text in columns.
CELL_CHARS_MAX = 80

_NUMBER = re.compile(r"[-+(]?[$€£]?\s*\d[\d.,\s]*[%)]?")


def table_of_grid(grid: Grid, texts: dict[int, str]) -> Table | None:
    """`texts` by cell, empty cells left out; None when the grid holds too little to be a table."""
    filled = [i for i, text in texts.items() if text]
    columns = {grid.cells[i].column for i in filled}
    if len(filled) < 2 or len(columns) < 2 or len(filled) < FILLED_MIN * len(grid.cells):
        return None
    header = _has_header([texts.get(i, "") for i, cell in enumerate(grid.cells) if cell.row == 0])
    cells = tuple(
        Cell(
            texts.get(i, ""), cell.row, cell.column, cell.row_span, cell.column_span, header and cell.row == 0, cell.box
        )
        for i, cell in enumerate(grid.cells)
    )
    return Table(grid.rows, grid.columns, cells)


def _has_header(first_row: Sequence[str]) -> bool:
    """Names stand in it rather than figures."""
    return any(first_row) and not any(_NUMBER.fullmatch(text) for text in first_row)


def table_draft(table: Table, box: tuple[float, float, float, float], size: float, confidence: float) -> Draft:
    text = _text_of(table)
    box = (round(box[0], 2), round(box[1], 2), round(box[2], 2), round(box[3], 2))
    draft = Draft(text, box, size, len(text), 0)
    draft.kind = BlockKind.TABLE
    draft.table = table
    draft.rows = table.rows
    draft.confidence = confidence
    return draft


def _text_of(table: Table) -> str:
    rows: list[list[str]] = [[] for _ in range(table.rows)]
    for cell in table.cells:
        rows[cell.row].append(cell.text)
    return "\n".join("\t".join(row) for row in rows)


def table_of_rows(layout: kernel.Layout, block: kernel.Block) -> Table | None:
    """A table of a TABULAR block's rows when its columns are sound; None otherwise."""
    rows = layout.rows(block.first_row, block.rows)
    if len(rows) < ROWS_MIN:
        return None
    first = rows[0].first_fragment
    count = rows[-1].first_fragment + rows[-1].fragments - first
    fragments = layout.fragments(first, count)
    columns = _columns(rows, fragments, first, block.size)
    if len(columns) < 2:
        return None
    return _filled(rows, fragments, first, columns, layout.text)


def _columns(
    rows: Sequence[kernel.Row], fragments: Sequence[kernel.Fragment], first: int, em: float
) -> list[tuple[float, float]]:
    """Intervals along the text that at most a few rows reach out of."""
    starts = sorted([fragment.u0 for fragment in fragments])
    ends = sorted([max(fragment.u1, fragment.u0 + 0.1) for fragment in fragments])
    few = ACROSS_MAX * len(rows)
    columns: list[tuple[float, float]] = []
    depth, start, opened, count = 0, 0.0, 0, len(starts)
    for end in ends:
        while opened < count and starts[opened] < end:
            if depth <= few < depth + 1:
                start = starts[opened]
            depth += 1
            opened += 1
        depth -= 1
        if depth <= few < depth + 1:
            if columns and start - columns[-1][1] < 0.3 * em:
                columns[-1] = (columns[-1][0], end)
            else:
                columns.append((start, end))
    return columns


def _filled(
    rows: Sequence[kernel.Row],
    fragments: Sequence[kernel.Fragment],
    first: int,
    columns: list[tuple[float, float]],
    text: str,
) -> Table | None:
    conflicts = filled = chars = 0
    placed: list[list[tuple[int, int, str]]] = []
    place = _placer(columns)
    for row in rows:
        at = row.first_fragment - first
        own: list[tuple[int, int, str]] = []
        covered = -1
        for fragment in fragments[at : at + row.fragments]:
            piece = text[fragment.text_start : fragment.text_end]
            start, end = place(fragment.u0, fragment.u1)
            if start <= covered:
                conflicts += 1
                last = own[-1]
                own[-1] = (last[0], last[1], f"{last[2]} {piece}")
                continue
            covered = end
            own.append((start, end - start + 1, piece))
        for _, _, piece in own:
            filled += piece != ""
            chars += len(piece)
        placed.append(own)
    if conflicts > CONFLICTS_MAX * len(rows) or filled < GAPPED_FILL_MIN * (len(rows) * len(columns)):
        return None
    if chars > CELL_CHARS_MAX * filled:
        return None
    header = _has_header([piece for _, _, piece in placed[0]])
    cells: list[Cell] = []
    for r, own in enumerate(placed):
        cells += _row_cells(r, own, len(columns), header and r == 0)
    return Table(len(rows), len(columns), tuple(cells))


def _row_cells(row: int, placed: list[tuple[int, int, str]], columns: int, header: bool) -> Iterator[Cell]:
    """A row's cells from first column, span and text of those with text; the others are empty."""
    free = 0
    for column, span, text in placed:
        for empty in range(free, column):
            yield Cell("", row, empty, 1, 1, header)
        yield Cell(text, row, column, 1, span, header)
        free = column + span
    for empty in range(free, columns):
        yield Cell("", row, empty, 1, 1, header)


def _placer(columns: list[tuple[float, float]]) -> Callable[[float, float], tuple[int, int]]:
    """Gives first and last column that a fragment reaches into; the nearest one when it stands between."""
    # Columns follow one another, so those that begin before a place and those that end behind it are runs.
    starts, ends = [start + 1 for start, _ in columns], [end - 1 for _, end in columns]
    middles = [(start + end) / 2 for start, end in columns]

    def place(u0: float, u1: float) -> tuple[int, int]:
        first, last = bisect_right(ends, u0), bisect_left(starts, u1) - 1
        if first <= last:
            return first, last
        middle = (u0 + u1) / 2
        nearest = min(range(len(middles)), key=lambda i: abs(middles[i] - middle))
        return nearest, nearest

    return place
