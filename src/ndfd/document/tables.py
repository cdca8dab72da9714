"""Grids and rows with gaps -> tables."""

from __future__ import annotations

import re
from collections.abc import Sequence

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
    events: list[tuple[float, int]] = []
    for fragment in fragments:
        events += ((fragment.u0, 1), (max(fragment.u1, fragment.u0 + 0.1), -1))
    events.sort()
    few = ACROSS_MAX * len(rows)
    columns: list[tuple[float, float]] = []
    depth, start = 0, 0.0
    for u, step in events:
        before = depth
        depth += step
        if before <= few < depth:
            start = u
        elif depth <= few < before:
            if columns and start - columns[-1][1] < 0.3 * em:
                columns[-1] = (columns[-1][0], u)
            else:
                columns.append((start, u))
    return columns


def _filled(
    rows: Sequence[kernel.Row],
    fragments: Sequence[kernel.Fragment],
    first: int,
    columns: list[tuple[float, float]],
    text: str,
) -> Table | None:
    cells: list[Cell] = []
    conflicts = 0
    for r, row in enumerate(rows):
        at = row.first_fragment - first
        placed: dict[int, tuple[int, list[str]]] = {}
        covered = -1
        for fragment in fragments[at : at + row.fragments]:
            start, end = _place(fragment, columns)
            if start <= covered:
                conflicts += 1
                start = max(placed)
                placed[start][1].append(text[fragment.text_start : fragment.text_end])
                continue
            covered = end
            placed[start] = (end - start + 1, [text[fragment.text_start : fragment.text_end]])
        cells += (Cell(" ".join(parts), r, c, 1, span) for c, (span, parts) in placed.items())
        cells += (Cell("", r, c) for c in range(len(columns)) if not any(p <= c < p + placed[p][0] for p in placed))
    filled = [cell for cell in cells if cell.text]
    size = len(rows) * len(columns)
    if conflicts > CONFLICTS_MAX * len(rows) or len(filled) < GAPPED_FILL_MIN * size:
        return None
    if sum(len(cell.text) for cell in filled) > CELL_CHARS_MAX * len(filled):
        return None
    cells.sort(key=lambda cell: (cell.row, cell.column))
    if _has_header([cell.text for cell in cells if cell.row == 0]):
        cells = [_as_header(cell) if cell.row == 0 else cell for cell in cells]
    return Table(len(rows), len(columns), tuple(cells))


def _as_header(cell: Cell) -> Cell:
    return Cell(cell.text, cell.row, cell.column, cell.row_span, cell.column_span, True, cell.bbox)


def _place(fragment: kernel.Fragment, columns: list[tuple[float, float]]) -> tuple[int, int]:
    """First and last column that the fragment reaches into; the nearest one when it stands between."""
    reached = [i for i, (u0, u1) in enumerate(columns) if fragment.u0 < u1 - 1 and fragment.u1 > u0 + 1]
    if reached:
        return reached[0], reached[-1]
    middle = (fragment.u0 + fragment.u1) / 2
    nearest = min(range(len(columns)), key=lambda i: abs((columns[i][0] + columns[i][1]) / 2 - middle))
    return nearest, nearest
