"""Fragments -> leaves in reading order; the rules and their reasons stand in ext/layout_order_impl.c."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from ndfd.native._py.layout_values import OpenFragment, Page

DEPTH_MAX, COLUMNS_MAX, EDGE_LINES = 12, 24, 2
GUTTER, GUTTER_MIN_POINTS, EDGE_GAP, SAME_BASE, EDGE_RATIO = 0.5, 3.0, 0.75, 0.15, 1.3
PROSE_LINES, PROSE_CHARS, LONE_PROSE_LINES, PROSE_FILL, ALIGNED, GROUP_CHARS = 3, 14, 4, 0.5, 0.6, 60


@dataclass(slots=True)
class _Column:
    u0: float
    u1: float
    width: float = 0.0
    count: int = 0
    chars: int = 0

    def is_prose(self) -> bool:
        return (
            self.count >= PROSE_LINES
            and self.chars >= PROSE_CHARS * self.count
            and self.width >= PROSE_FILL * self.count * (self.u1 - self.u0)
        )


class _Profile:
    """White-separated intervals along u."""

    def __init__(self) -> None:
        self.intervals: list[tuple[float, float]] = []

    def copy(self) -> _Profile:
        other = _Profile()
        other.intervals = self.intervals.copy()
        return other

    def __len__(self) -> int:
        return len(self.intervals)

    def add(self, u0: float, u1: float, gutter: float) -> None:
        known = self.intervals
        i = 0
        while i < len(known) and known[i][1] + gutter <= u0:
            i += 1
        j = i
        while j < len(known) and known[j][0] < u1 + gutter:
            u0, u1 = min(u0, known[j][0]), max(u1, known[j][1])
            j += 1
        if j == i and len(known) > COLUMNS_MAX:
            return
        known[i:j] = [(u0, u1)]


def _gutter_width(em: float) -> float:
    return max(GUTTER * em, GUTTER_MIN_POINTS)


class _Order:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.fragments = page.fragments

    def leaf(self, items: list[int]) -> None:
        if items:
            self.page.leaf_start.append(len(self.page.order))
            self.page.order += items

    def down(self, items: list[int]) -> list[int]:
        return sorted(items, key=lambda k: (self.fragments[k].v0, k))

    def along(self, items: list[int]) -> list[int]:
        return sorted(items, key=lambda k: (self.fragments[k].u0, k))

    def em(self, items: list[int]) -> float:
        total, chars = 0.0, 0
        for k in items:
            fragment = self.fragments[k]
            if fragment.group < 0:
                total += fragment.size * fragment.chars
                chars += fragment.chars
        return total / chars if chars else self.page.em

    def columns(self, items: list[int], gutter: float) -> list[_Column]:
        columns: list[_Column] = []
        for k in items:
            f = self.fragments[k]
            if columns and f.u0 - columns[-1].u1 < gutter:
                columns[-1].u1 = max(columns[-1].u1, f.u1)
            else:
                if len(columns) == COLUMNS_MAX:
                    return []
                columns.append(_Column(f.u0, f.u1))
            column = columns[-1]
            column.width += f.u1 - f.u0
            column.count += PROSE_LINES if f.group >= 0 else 1
            column.chars += GROUP_CHARS if f.group >= 0 else f.chars
            if f.group >= 0:
                column.width += 2 * (f.u1 - f.u0)
        return columns

    def bases(self, items: list[int], column: _Column) -> list[float]:
        within = (self.fragments[k] for k in items)
        return sorted(f.base for f in within if f.u0 >= column.u0 and f.u1 <= column.u1)

    def aligned(self, items: list[int], a: _Column, b: _Column, em: float) -> bool:
        few, many = self.bases(items, a), self.bases(items, b)
        if not len(few) < len(many):
            few, many = many, few
        hits = 0
        for base in few:
            at = bisect_left(many, base - SAME_BASE * em)
            hits += at < len(many) and many[at] <= base + SAME_BASE * em
        return hits >= ALIGNED * len(few)

    def gutters(self, items: list[int], em: float) -> list[float]:
        columns = self.columns(items, _gutter_width(em))
        edges: list[float] = []
        if not columns:
            return edges
        a = columns[0]
        for b in columns[1:]:
            prose_a, prose_b = a.is_prose(), b.is_prose()
            lone = a.count if prose_a else b.count if prose_b else 0
            if (prose_a and prose_b) or (lone >= LONE_PROSE_LINES and not self.aligned(items, a, b, em)):
                edges.append(b.u0)
                a = b
            else:
                a.u1 = b.u1
                a.width += b.width
                a.count += b.count
                a.chars += b.chars
        return edges

    def by_columns(self, items: list[int], edges: list[float], depth: int) -> None:
        start = edge = 0
        for k in range(len(items) + 1):
            if k == len(items) or (edge < len(edges) and self.fragments[items[k]].u0 >= edges[edge]):
                self.find(items[start:k], depth + 1)
                start = k
                edge += 1

    def group(self, items: list[int], start: int, end: int, multi: bool, pending: int, depth: int) -> int:
        if multi:
            em = self.em(items[start:end])
            along = self.along(items[start:end])
            edges = self.gutters(along, em)
            if edges:
                self.leaf(items[pending:start])
                self.by_columns(along, edges, depth)
                return end
        return pending

    def band(self, items: list[int], at: int) -> tuple[int, float]:
        """Where the band that begins at place `at` ends, and its bottom."""
        fragments = self.fragments
        end, bottom = at + 1, fragments[items[at]].v1
        while end < len(items) and fragments[items[end]].v0 < bottom:
            bottom = max(bottom, fragments[items[end]].v1)
            end += 1
        return end, bottom

    def by_bands(self, items: list[int], depth: int, em: float) -> None:
        fragments, gutter, count = self.fragments, _gutter_width(em), len(items)
        start = at = pending = 0
        group = _Profile()
        while at < count:
            end, _ = self.band(items, at)
            own, both = _Profile(), group.copy()
            for k in items[at:end]:
                own.add(fragments[k].u0, fragments[k].u1, gutter)
                both.add(fragments[k].u0, fragments[k].u1, gutter)
            if at > 0 and len(both) < 2 and (len(group) > 1 or len(own) > 1):
                pending = self.group(items, start, at, len(group) > 1, pending, depth)
                start, group = at, own
            else:
                group = both
            at = end
        if start == 0 and pending == 0:
            self.leaf(items)
        else:
            pending = self.group(items, start, count, len(group) > 1, pending, depth)
            self.leaf(items[pending:])

    def find(self, items: list[int], depth: int) -> None:
        if len(items) <= 1 or depth >= DEPTH_MAX:
            self.leaf(self.down(items))
            return
        em = self.em(items)
        along = self.along(items)
        edges = self.gutters(along, em)
        if edges:
            self.by_columns(along, edges, depth)
        else:
            self.by_bands(self.down(along), depth, em)

    def sets_off(self, gap: float, following: float, em: float) -> bool:
        return gap > EDGE_GAP * em and gap > EDGE_RATIO * following

    def one_line(self, items: list[int], start: int, end: int) -> bool:
        return self.fragments[items[end - 1]].v0 < self.fragments[items[start]].v1

    def page_edges(self, items: list[int]) -> None:
        """The whole page, but for what white sets off at its top and foot."""
        if not items:
            return
        fragments, em = self.fragments, self.em(items)
        items, top = self.down(items), 0
        for _ in range(EDGE_LINES):
            end, bottom = self.band(items, top)
            if end == len(items) or not self.one_line(items, top, end):
                break
            gap = fragments[items[end]].v0 - bottom
            after, bottom = self.band(items, end)
            if not self.sets_off(gap, fragments[items[after]].v0 - bottom if after < len(items) else 0.0, em):
                break
            self.leaf(items[top:end])
            top = end
        foot = self.foot(items, top, em)
        self.find(items[top:foot], 0)
        self.leaf(items[foot:])

    def foot(self, items: list[int], top: int, em: float) -> int:
        """Where the lines at the foot begin that white sets off; the end when there are none."""
        foot, foot_gap, lines = len(items), 0.0, 0
        at, last_bottom, last_gap = top, 0.0, 0.0
        while at < len(items):
            end, bottom = self.band(items, at)
            gap = 0.0 if at == top else self.fragments[items[at]].v0 - last_bottom
            alone = at != top and self.one_line(items, at, end)
            if alone and self.sets_off(gap, last_gap, em):
                foot, foot_gap, lines = at, gap, 1
            else:
                lines += alone and gap * EDGE_RATIO < foot_gap
                if not alone or gap * EDGE_RATIO >= foot_gap or lines > EDGE_LINES:
                    foot, foot_gap = len(items), 0.0
            last_bottom, last_gap, at = bottom, gap, end
        return foot


def _add_groups(page: Page) -> None:
    fragment: OpenFragment | None = None
    for k, group in enumerate(page.frame_group):
        x0, y0, x1, y1 = page.frame_box[4 * k : 4 * k + 4]
        match page.main_direction:
            case 1:
                u0, u1, v0, v1 = y0, y1, -x1, -x0
            case 2:
                u0, u1, v0, v1 = -x1, -x0, -y1, -y0
            case 3:
                u0, u1, v0, v1 = -y1, -y0, x0, x1
            case _:
                u0, u1, v0, v1 = x0, x1, y0, y1
        if fragment is None or group != fragment.group:
            fragment = OpenFragment([], u0, u1, v0, v1, group=group, direction=page.main_direction)
            page.fragments.append(fragment)
        fragment.u0, fragment.u1 = min(fragment.u0, u0), max(fragment.u1, u1)
        fragment.v0, fragment.v1 = min(fragment.v0, v0), max(fragment.v1, v1)
        fragment.base = fragment.v1
        fragment.size = page.em


def find_order(page: Page) -> None:
    _add_groups(page)
    order = _Order(page)
    directions = [page.main_direction, *(d for d in range(5) if d != page.main_direction)]
    for direction in directions:
        items = [k for k, f in enumerate(page.fragments) if f.direction == direction and f.frame < 0]
        order.page_edges(items)
    page.leaf_start.append(len(page.order))
