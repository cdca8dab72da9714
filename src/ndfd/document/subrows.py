"""Ruled rows that hold several rows of a table: many tables rule only their head and their columns.

Lines of several cells that stand on common baselines are rows when one of the columns holds a figure on each; without
figures they may as well be text that was wrapped twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ndfd.document.grids import Grid, GridCell

#: Points within which two baselines are one.
SAME_BASE = 3.0
#: Share of a column's lines that are figures, and of the row's baselines that it has a line on.
FIGURES_MIN = 0.8

#: Baseline and text of each line of a cell.
Lines = list[tuple[float, str]]

_FIGURE = re.compile(r"[-+(−–<>~≈±]?\s*[$€£]?\s*\d[\d.,\s%±()/×–−-]*[a-z*†%]{0,2}|[-–—]|n/?a", re.IGNORECASE)


def split_rows(grid: Grid, texts: dict[int, str], lines: dict[int, Lines]) -> tuple[Grid, dict[int, str]]:
    """The grid with such rows parted, and the text of its cells; `texts` and `lines` hold those with text, by index."""
    parts = [_bases(grid, row, lines) for row in range(grid.rows)]
    if not any(parts):
        return grid, texts
    starts = [0]
    for bases in parts:
        starts.append(starts[-1] + max(len(bases), 1))
    cells: list[GridCell] = []
    found: dict[int, str] = {}
    for i, cell in enumerate(grid.cells):
        bases = parts[cell.row] if cell.row_span == 1 else []
        for part, (text, top, bottom) in enumerate(_pieces(cell, bases, texts.get(i, ""), lines.get(i, []))):
            span = 1 if bases else starts[cell.row + cell.row_span] - starts[cell.row]
            if text:
                found[len(cells)] = text
            box = (cell.box[0], top, cell.box[2], bottom)
            cells.append(GridCell(starts[cell.row] + part, cell.column, span, cell.column_span, box))
    order = sorted(range(len(cells)), key=lambda i: (cells[i].row, cells[i].column))
    return (
        Grid(starts[-1], grid.columns, tuple(cells[i] for i in order), grid.box),
        {place: found[i] for place, i in enumerate(order) if i in found},
    )


def _bases(grid: Grid, row: int, lines: dict[int, Lines]) -> list[float]:
    """The baselines to part a row at; none when it is one row."""
    own = [
        lines[i]
        for i, cell in enumerate(grid.cells)
        if cell.row == row and cell.row_span == 1 and len(lines.get(i, ())) > 1
    ]
    if len(own) < 2:
        return []
    bases: list[float] = []
    for base in sorted(base for cell in own for base, _ in cell):
        if not bases or base - bases[-1] > SAME_BASE:
            bases.append(base)
    return bases if any(_is_figures(cell, len(bases)) for cell in own) else []


def _is_figures(lines: Lines, count: int) -> bool:
    figures = sum(_FIGURE.fullmatch(text) is not None for _, text in lines)
    return figures >= FIGURES_MIN * len(lines) and figures >= FIGURES_MIN * count


def _pieces(cell: GridCell, bases: Sequence[float], whole: str, lines: Lines) -> list[tuple[str, float, float]]:
    """Text, top and bottom of each row that the cell becomes."""
    top, bottom = cell.box[1], cell.box[3]
    if not bases:
        return [(whole, top, bottom)]
    # A line belongs to the last baseline that is not below it.
    edges = [top, *(base + SAME_BASE / 2 for base in bases[:-1]), bottom]
    texts: list[list[str]] = [[] for _ in bases]
    for base, text in lines:
        texts[min(range(len(bases)), key=lambda k: abs(bases[k] - base))].append(text)
    return [(" ".join(text), edges[k], max(edges[k], edges[k + 1])) for k, text in enumerate(texts)]
