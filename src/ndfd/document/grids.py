"""Rules -> grids: where lines cross, they may be a table's.

Lines come as strokes, thin filled boxes and the sides of rectangles, often in pieces and doubled. Those on one line are
joined first; lines that cross are one grid; a grid's squares that no line parts are one cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from ndfd.model.document import BBox
from ndfd.native import layout as kernel
from ndfd.native import pdftext

#: Cells of one page.
CELLS_MAX = 4000


class GridCell(NamedTuple):
    row: int
    column: int
    row_span: int
    column_span: int
    box: BBox


class Grid(NamedTuple):
    rows: int
    columns: int
    cells: tuple[GridCell, ...]
    box: BBox


def find_grids(arrays: pdftext.PageArrays) -> list[Grid]:
    """The grids of at least two rows and two columns that the page's rules draw, from top to bottom."""
    grids: list[Grid] = []
    room = CELLS_MAX
    for levels, uprights in kernel.connected_rules(arrays):
        grid = _grid(levels, uprights, room)
        if grid is not None:
            grids.append(grid)
            room -= len(grid.cells)
    return sorted(_outermost(grids), key=lambda grid: (grid.box[1], grid.box[0]))


def _clusters(pieces: list[kernel.Line], near: float) -> Iterable[list[kernel.Line]]:
    group: list[kernel.Line] = []
    for piece in pieces:
        if group and piece[0] - group[0][0] > near:
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def _is_one_step(pieces: list[kernel.Line], others: list[kernel.Line], least: float) -> bool:
    """Whether `_edges` would find no more than two lines, as of a box that stands alone; cheaply, for most are such."""
    if len(pieces) != 2:
        return False
    (first, _, _), (second, _, _) = pieces
    if second - first <= max(kernel.SAME_LINE, least):
        return False
    start, end = min([line[1] for line in others]), max([line[2] for line in others])
    return first - start <= 2 * least and end - second <= 2 * least


def _edges(
    pieces: list[kernel.Line], others: list[kernel.Line], least: float
) -> tuple[list[float], list[list[kernel.Line]]]:
    """Positions of the grid's lines in one direction, with the pieces on each; open sides are closed where the lines
    of the other direction end."""
    positions: list[float] = []
    on: list[list[kernel.Line]] = []
    for group in _clusters(sorted(pieces), kernel.SAME_LINE):
        position = sum(piece[0] for piece in group) / len(group)
        if positions and position - positions[-1] < least:
            on[-1] += group
            continue
        positions.append(position)
        on.append(list(group))
    start, end = min(piece[1] for piece in others), max(piece[2] for piece in others)
    if not positions or positions[0] - start > 2 * least:
        positions.insert(0, start)
        on.insert(0, [])
    if end - positions[-1] > 2 * least:
        positions.append(end)
        on.append([])
    return positions, on


def _gaps(pieces: list[kernel.Line], middles: list[float]) -> list[bool]:
    """For each place along a line whether none of its pieces is there."""
    spans = [(start - kernel.TOUCH, end + kernel.TOUCH) for _, start, end in pieces]
    for start, end in spans:
        if start <= middles[0] and middles[-1] <= end:
            return [False] * len(middles)
    return [not any(start <= at <= end for start, end in spans) for at in middles]


def _grid(levels: list[kernel.Line], uprights: list[kernel.Line], room: int) -> Grid | None:
    if _is_one_step(levels, uprights, kernel.ROW_MIN) or _is_one_step(uprights, levels, kernel.COLUMN_MIN):
        return None
    ys, on_y = _edges(levels, uprights, kernel.ROW_MIN)
    xs, on_x = _edges(uprights, levels, kernel.COLUMN_MIN)
    rows, columns = len(ys) - 1, len(xs) - 1
    if rows < 2 or columns < 2 or rows * columns > room:
        return None
    middle_x = [(a + b) / 2 for a, b in pairwise(xs)]
    middle_y = [(a + b) / 2 for a, b in pairwise(ys)]
    right = [_gaps(line, middle_y) for line in on_x[1:-1]]
    below = [_gaps(line, middle_x) for line in on_y[1:-1]]
    cells = tuple(
        GridCell(r, c, rs, cs, (xs[c], ys[r], xs[c + cs], ys[r + rs]))
        for r, c, rs, cs in _rectangles(rows, columns, right, below)
    )
    if len(cells) < 3:
        return None
    return Grid(rows, columns, cells, (xs[0], ys[0], xs[-1], ys[-1]))


def _rectangles(
    rows: int, columns: int, right: list[list[bool]], below: list[list[bool]]
) -> Iterator[tuple[int, int, int, int]]:
    """Cells as row, column and spans: each square grows right, then down, as far as nothing parts the whole side.

    `right` says for each line between two columns where it is open, by row, and `below` for each line between two rows
    by column.
    """
    taken = [[False] * columns for _ in range(rows)]
    for r in range(rows):
        for c in range(columns):
            if taken[r][c]:
                continue
            width = 1
            while c + width < columns and right[c + width - 1][r] and not taken[r][c + width]:
                width += 1
            height = 1
            while r + height < rows and _goes_down(right, below, taken, r + height, c, width):
                height += 1
            if width > 1 or height > 1:
                for k in range(height):
                    taken[r + k][c : c + width] = [True] * width
            yield r, c, height, width


def _goes_down(
    right: list[list[bool]], below: list[list[bool]], taken: list[list[bool]], row: int, column: int, width: int
) -> bool:
    """Whether a cell above `row` takes that row's squares as well."""
    line = below[row - 1]
    for c in range(column, column + width):
        if not line[c] or taken[row][c] or (c + 1 < column + width and not right[c][row]):
            return False
    return True


def _outermost(grids: list[Grid]) -> list[Grid]:
    """Without those inside a cell of another: a word belongs to one cell."""
    return [
        grid
        for grid in grids
        if not any(
            other is not grid
            and other.box[0] <= grid.box[0] + kernel.TOUCH
            and other.box[1] <= grid.box[1] + kernel.TOUCH
            and other.box[2] >= grid.box[2] - kernel.TOUCH
            and other.box[3] >= grid.box[3] - kernel.TOUCH
            for other in grids
        )
    ]
