"""Rules -> grids: where lines cross, they may be a table's.

Lines come as strokes, thin filled boxes and the sides of rectangles, often in pieces and doubled. Those on one line are
joined first; lines that cross are one grid; a grid's squares that no line parts are one cell.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from ndfd.model.document import BBox
from ndfd.native import pdftext

#: Points within which two lines are one (double lines), pieces touch, and lines cross.
SAME_LINE = 3.0
TOUCH = 3.0
#: A page with more line pieces than this is a drawing, not tables; it also bounds the work.
PIECES_MAX = 5000
#: Crossings looked at on one page.
CROSSINGS_MAX = 400_000
#: Cells of one page.
CELLS_MAX = 4000
#: The least height and width of a cell's row and column, points.
ROW_MIN = 5.0
COLUMN_MIN = 6.0

#: Position, start, end of a level or upright line.
Piece = tuple[float, float, float]
_START = itemgetter(1)


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
    levels, uprights = _pieces(arrays)
    if len(levels) < 2 or not uprights or len(levels) + len(uprights) > PIECES_MAX:
        return []
    levels, uprights = _joined(levels), _joined(uprights)
    if len(levels) < 2 or not uprights or len(levels) * len(uprights) > CROSSINGS_MAX:
        return []
    grids: list[Grid] = []
    room = CELLS_MAX
    for some_levels, some_uprights in _connected(levels, uprights):
        grid = _grid(some_levels, some_uprights, room)
        if grid is not None:
            grids.append(grid)
            room -= len(grid.cells)
    return sorted(_outermost(grids), key=lambda grid: (grid.box[1], grid.box[0]))


def _pieces(arrays: pdftext.PageArrays) -> tuple[list[Piece], list[Piece]]:
    levels: list[Piece] = []
    uprights: list[Piece] = []
    boxes = arrays.rule_box.tolist()
    page_area = arrays.width * arrays.height
    for i, kind in enumerate(arrays.rule_kind.tolist()):
        x0, y0, x1, y1 = boxes[4 * i : 4 * i + 4]
        if kind == pdftext.RULE_HORIZONTAL:
            levels.append(((y0 + y1) / 2, x0, x1))
        elif kind == pdftext.RULE_VERTICAL:
            uprights.append(((x0 + x1) / 2, y0, y1))
        elif x1 - x0 > COLUMN_MIN and y1 - y0 > ROW_MIN and (x1 - x0) * (y1 - y0) < 0.8 * page_area:
            levels += ((y0, x0, x1), (y1, x0, x1))
            uprights += ((x0, y0, y1), (x1, y0, y1))
    return levels, uprights


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Pieces on one line that touch, as one."""
    joined: list[Piece] = []
    pieces.sort()
    for group in _clusters(pieces, SAME_LINE / 2):
        if len(group) == 1:
            joined += group
            continue
        group.sort(key=_START)
        position, start, end = group[0]
        for _, a, b in group:
            if a > end + TOUCH:
                joined.append((position, start, end))
                start, end = a, b
            elif b > end:
                end = b
        joined.append((position, start, end))
    return [piece for piece in joined if piece[2] - piece[1] >= ROW_MIN]


def _clusters(pieces: list[Piece], near: float) -> Iterable[list[Piece]]:
    group: list[Piece] = []
    for piece in pieces:
        if group and piece[0] - group[0][0] > near:
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def _connected(levels: list[Piece], uprights: list[Piece]) -> Iterable[tuple[list[Piece], list[Piece]]]:
    parent = list(range(len(levels) + len(uprights)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    places = [(x, y0 - TOUCH, y1 + TOUCH, j) for j, (x, y0, y1) in enumerate(uprights, len(levels))]
    for i, (y, x0, x1) in enumerate(levels):
        x0 -= TOUCH
        x1 += TOUCH
        own = root(i)
        for j in [j for x, y0, y1, j in places if x0 <= x <= x1 and y0 <= y <= y1]:
            if parent[j] != own:
                parent[root(j)] = own
    parts: dict[int, tuple[list[Piece], list[Piece]]] = {}
    for i, piece in enumerate(levels):
        parts.setdefault(root(i), ([], []))[0].append(piece)
    for j, piece in enumerate(uprights, len(levels)):
        parts.setdefault(root(j), ([], []))[1].append(piece)
    return [part for part in parts.values() if len(part[0]) >= 2 and len(part[1]) >= 1]


def _edges(pieces: list[Piece], others: list[Piece], least: float) -> tuple[list[float], list[list[Piece]]]:
    """Positions of the grid's lines in one direction, with the pieces on each; open sides are closed where the lines
    of the other direction end."""
    positions: list[float] = []
    on: list[list[Piece]] = []
    for group in _clusters(sorted(pieces), SAME_LINE):
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


def _covers(pieces: list[Piece], at: float) -> bool:
    return any(start - TOUCH <= at <= end + TOUCH for _, start, end in pieces)


def _grid(levels: list[Piece], uprights: list[Piece], room: int) -> Grid | None:
    ys, on_y = _edges(levels, uprights, ROW_MIN)
    xs, on_x = _edges(uprights, levels, COLUMN_MIN)
    rows, columns = len(ys) - 1, len(xs) - 1
    if rows < 2 or columns < 2 or rows * columns > room:
        return None
    middle_x = [(a + b) / 2 for a, b in pairwise(xs)]
    middle_y = [(a + b) / 2 for a, b in pairwise(ys)]
    open_right = [[c + 1 < columns and not _covers(on_x[c + 1], y) for c in range(columns)] for y in middle_y]
    open_below = [[r + 1 < rows and not _covers(on_y[r + 1], x) for x in middle_x] for r in range(rows)]
    cells = tuple(
        GridCell(r, c, rs, cs, (xs[c], ys[r], xs[c + cs], ys[r + rs]))
        for r, c, rs, cs in _rectangles(rows, columns, open_right, open_below)
    )
    if len(cells) < 3:
        return None
    return Grid(rows, columns, cells, (xs[0], ys[0], xs[-1], ys[-1]))


def _rectangles(
    rows: int, columns: int, open_right: list[list[bool]], open_below: list[list[bool]]
) -> Iterable[tuple[int, int, int, int]]:
    """Cells as row, column and spans: each square grows right, then down, as far as nothing parts the whole side."""
    taken = [[False] * columns for _ in range(rows)]
    for r in range(rows):
        for c in range(columns):
            if taken[r][c]:
                continue
            width = 1
            while c + width < columns and open_right[r][c + width - 1] and not taken[r][c + width]:
                width += 1
            height = 1
            while r + height < rows and all(
                open_below[r + height - 1][c + k]
                and not taken[r + height][c + k]
                and (k + 1 == width or open_right[r + height][c + k])
                for k in range(width)
            ):
                height += 1
            for k in range(height):
                taken[r + k][c : c + width] = [True] * width
            yield r, c, height, width


def _outermost(grids: list[Grid]) -> list[Grid]:
    """Without those inside a cell of another: a word belongs to one cell."""
    return [
        grid
        for grid in grids
        if not any(
            other is not grid
            and other.box[0] <= grid.box[0] + TOUCH
            and other.box[1] <= grid.box[1] + TOUCH
            and other.box[2] >= grid.box[2] - TOUCH
            and other.box[3] >= grid.box[3] - TOUCH
            for other in grids
        )
    ]
