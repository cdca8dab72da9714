"""Rules -> pieces -> lines -> the groups of lines that cross one another."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

from ndfd.native._py.pdftext_values import RULE_HORIZONTAL, RULE_VERTICAL

#: See ext/layout_impl.h.
SAME_LINE = 3.0
TOUCH = 3.0
ROW_MIN = 5.0
COLUMN_MIN = 6.0
PIECES_MAX = 5000
CROSSINGS_MAX = 400_000

#: Position, start, end of a level or upright line, or of a piece of one.
Line = tuple[float, float, float]
#: Level and upright lines that cross.
Group = tuple[list[Line], list[Line]]


def connected_rules(arrays: Any) -> list[Group]:
    if len(arrays.rule_box) != 4 * len(arrays.rule_kind):
        raise ValueError("the arrays of a page differ in length")
    levels, uprights = _pieces(arrays)
    if len(levels) < 2 or not uprights or len(levels) + len(uprights) > PIECES_MAX:
        return []
    levels, uprights = _joined(levels), _joined(uprights)
    if len(levels) < 2 or not uprights or len(levels) * len(uprights) > CROSSINGS_MAX:
        return []
    return [group for group in _connected(levels, uprights) if len(group[0]) >= 2 and group[1]]


def _pieces(arrays: Any) -> Group:
    levels: list[Line] = []
    uprights: list[Line] = []
    boxes = list(arrays.rule_box)
    page_area = arrays.width * arrays.height
    for i, kind in enumerate(arrays.rule_kind):
        x0, y0, x1, y1 = boxes[4 * i : 4 * i + 4]
        if not all(map(isfinite, (x0, y0, x1, y1))):
            continue
        if kind == RULE_HORIZONTAL:
            levels.append(((y0 + y1) / 2, x0, x1))
        elif kind == RULE_VERTICAL:
            uprights.append(((x0 + x1) / 2, y0, y1))
        elif x1 - x0 > COLUMN_MIN and y1 - y0 > ROW_MIN and (x1 - x0) * (y1 - y0) < 0.8 * page_area:
            levels += ((y0, x0, x1), (y1, x0, x1))
            uprights += ((x0, y0, y1), (x1, y0, y1))
    return levels, uprights


def _joined(pieces: list[Line]) -> list[Line]:
    """Pieces on one line that touch, as one."""
    joined: list[Line] = []
    for group in _clusters(sorted(pieces)):
        group.sort(key=lambda piece: (piece[1], piece))
        position, start, end = group[0]
        for _, a, b in group:
            if a > end + TOUCH:
                joined.append((position, start, end))
                start, end = a, b
            elif b > end:
                end = b
        joined.append((position, start, end))
    return [line for line in joined if line[2] - line[1] >= ROW_MIN]


def _clusters(pieces: list[Line]) -> Iterable[list[Line]]:
    group: list[Line] = []
    for piece in pieces:
        if group and piece[0] - group[0][0] > SAME_LINE / 2:
            yield group
            group = []
        group.append(piece)
    yield group


def _connected(levels: list[Line], uprights: list[Line]) -> Iterable[Group]:
    parent = list(range(len(levels) + len(uprights)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, (y, x0, x1) in enumerate(levels):
        for j, (x, y0, y1) in enumerate(uprights, len(levels)):
            if x0 - TOUCH <= x <= x1 + TOUCH and y0 - TOUCH <= y <= y1 + TOUCH:
                parent[root(j)] = root(i)
    groups: dict[int, Group] = {}
    for i, line in enumerate(levels):
        groups.setdefault(root(i), ([], []))[0].append(line)
    for j, line in enumerate(uprights, len(levels)):
        groups.setdefault(root(j), ([], []))[1].append(line)
    return groups.values()
