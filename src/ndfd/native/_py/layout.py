"""The reference implementation of the layout kernel: value for value what ext/layout* gives, a module a stage."""

from __future__ import annotations

from array import array
from typing import Any

from ndfd.native._py.layout_blocks import find_blocks
from ndfd.native._py.layout_fragments import find_fragments
from ndfd.native._py.layout_order import find_order
from ndfd.native._py.layout_rules import (
    COLUMN_MIN,
    PIECES_MAX,
    ROW_MIN,
    SAME_LINE,
    TOUCH,
    Line,
    connected_rules,
)
from ndfd.native._py.layout_text import write_text
from ndfd.native._py.layout_values import (
    BULLET,
    CENTRED,
    FIRST_IN_LEAF,
    GARBAGE,
    GENERATED,
    NORMALISE,
    NUMBER,
    RTL,
    TABULAR,
    Block,
    Fragment,
    Page,
    Row,
    Run,
    Word,
)
from ndfd.native._py.layout_words import find_words

__all__ = [
    "BULLET",
    "CENTRED",
    "COLUMN_MIN",
    "FIRST_IN_LEAF",
    "NORMALISE",
    "NUMBER",
    "PIECES_MAX",
    "ROW_MIN",
    "RTL",
    "SAME_LINE",
    "TABULAR",
    "TOUCH",
    "Block",
    "Fragment",
    "Layout",
    "Line",
    "Row",
    "Run",
    "Word",
    "analyse",
    "connected_rules",
    "count_garbage",
]


class Layout:
    def __init__(self, page: Page) -> None:
        self._page = page
        self.text = "".join(map(chr, page.text))
        self.blocks = [_block(block) for block in page.blocks]
        self.runs = [Run(*run) for run in page.runs]
        self.garbage = page.garbage
        self.visible = page.visible
        self.invisible = page.invisible
        self.em = page.em
        self.main_direction = page.main_direction

    def words(self) -> list[Word]:
        return [
            Word(
                w.first,
                w.count,
                w.chars,
                w.x0,
                w.y0,
                w.x1,
                w.y1,
                w.base,
                w.size,
                w.font,
                w.flags,
                w.direction,
                w.frame,
                w.link,
            )
            for w in self._page.words
        ]

    def rows(self, first: int, count: int) -> list[Row]:
        rows = self._page.rows
        if first < 0 or count < 0 or count > len(rows) - first:
            raise IndexError("no such rows")
        return [
            Row(r.text_start, r.text_end, r.u0, r.u1, r.base, r.size, r.chars, r.first, r.count)
            for r in rows[first : first + count]
        ]

    def fragments(self, first: int, count: int) -> list[Fragment]:
        if first < 0 or count < 0 or count > len(self._page.order) - first:
            raise IndexError("no such fragments")
        fragments = map(self._page.at, range(first, first + count))
        return [Fragment(f.text_start, f.text_end, f.u0, f.u1, f.base, f.size) for f in fragments]


def _block(b: Any) -> Block:
    return Block(*(getattr(b, name) for name in Block._fields))


def _checked(arrays: Any) -> int:
    n = len(arrays.codepoint)
    lengths = (len(arrays.size), len(arrays.font), len(arrays.flags), len(arrays.direction), len(arrays.mcid))
    if any(length != n for length in lengths) or len(arrays.loose) != 4 * n or len(arrays.origin) != 2 * n:
        raise ValueError("the arrays of a page differ in length")
    return n


def analyse(arrays: Any, math_fonts: Any = b"", frames: Any = None, groups: Any = None, links: Any = None) -> Layout:
    _checked(arrays)
    boxes, owners = ([], []) if frames is None or groups is None else (list(frames), list(groups))
    if len(boxes) != 4 * len(owners):
        raise ValueError("each frame needs four coordinates and a group")
    page = Page(
        codepoint=list(arrays.codepoint),
        loose=list(arrays.loose),
        origin=list(arrays.origin),
        size=list(arrays.size),
        font=list(arrays.font),
        char_flags=list(arrays.flags),
        direction=list(arrays.direction),
        mcid=list(arrays.mcid),
        math_font=bytes(math_fonts),
        frame_box=boxes,
        frame_group=owners,
        link_box=[] if links is None else list(links)[: len(links) // 4 * 4],
    )
    find_words(page)
    find_fragments(page)
    find_order(page)
    find_blocks(page)
    write_text(page)
    return Layout(page)


def count_garbage(arrays: Any) -> list[tuple[int, int, int]]:
    _checked(arrays)
    bad, whole = array("q", bytes(8 * 65536)), array("q", bytes(8 * 65536))
    for font, flags, code in zip(arrays.font, arrays.flags, arrays.codepoint, strict=True):
        if flags & GENERATED or code == 0x20:
            continue
        whole[font] += 1
        bad[font] += bool(flags & GARBAGE)
    return [(font, count, whole[font]) for font, count in enumerate(bad) if count]
