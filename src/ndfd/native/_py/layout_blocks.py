"""Leaves -> rows -> blocks; the rules and their reasons stand in ext/layout_blocks_impl.c."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ndfd.native._py.layout_characters import is_bullet, is_wide
from ndfd.native._py.layout_values import (
    BOLD,
    BULLET,
    CENTRED,
    FIRST_IN_LEAF,
    INVISIBLE,
    ITALIC,
    MONO,
    NUMBER,
    SOURCE,
    TABULAR,
    WORD_MATH,
    WORD_RTL,
    OpenBlock,
    OpenFragment,
    OpenRow,
    OpenWord,
    Page,
)

LEVEL, RAISED, LIKE_SIZE, SAME_SIZE = 0.3, 0.55, 0.85, 0.93
WIDER, SLACK, LONE_LEADING, LEADING_MAX = 1.25, 0.05, 1.7, 3.0
INDENT, FITS, MIDDLE = 0.8, 0.5, 0.5

_WEAK_BULLETS = frozenset((0x2D, 0x2013, 0x2014, 0x2A, 0x6F, 0xFFFD))


def _like(a: float, b: float, share: float) -> bool:
    return min(a, b) > share * max(a, b)


def _is_number(page: Page, word: OpenWord) -> bool:
    if not 2 <= word.count <= 8:
        return False
    codes = [page.code(i) for i in range(word.first, word.first + word.count)]
    opened = codes[0] == 0x28
    if codes[-1] != 0x29 and (codes[-1] != 0x2E or opened):
        return False
    inner = codes[opened:-1]
    digits = letters = dots = 0
    for c in inner:
        if 0x30 <= c <= 0x39:
            digits += 1
        elif 0x41 <= c <= 0x5A or 0x61 <= c <= 0x7A:
            letters += 1
        elif c == 0x2E and digits:
            dots += 1
        else:
            return False
    if letters:
        if digits or dots or letters > 4:
            return False
        return letters == 1 or all(c in (0x69, 0x76, 0x78) for c in inner)
    return digits > 0 and (digits <= 6 if dots else digits <= 3)


def _find_marker(page: Page, row: OpenRow) -> None:
    first = page.at(row.first)
    word = page.words[first.words[0]]
    if word.flags & SOURCE:
        return
    more = row.count > 1 or len(first.words) > 1
    c = page.code(word.first)
    if (is_bullet(c) and (more or word.count > 1)) or (more and word.count == 1 and c in _WEAK_BULLETS):
        row.marker, row.marker_chars = BULLET, 1
    elif more and _is_number(page, word):
        row.marker, row.marker_chars = NUMBER, word.chars


def _measure_row(page: Page, row: OpenRow) -> None:
    main_chars = -1
    for place in range(row.first, row.first + row.count):
        fragment = page.at(place)
        if place == row.first:
            word = page.words[fragment.words[0]]
            row.u0, row.u1 = fragment.u0, fragment.u1
            row.first_word = word.size if is_wide(page.codepoint[word.first]) else word.u1 - word.u0
        row.u0, row.u1 = min(row.u0, fragment.u0), max(row.u1, fragment.u1)
        row.chars += fragment.chars
        row.flags |= fragment.flags & (SOURCE | WORD_RTL)
        if fragment.main_chars > main_chars:
            main_chars, row.base, row.size = fragment.main_chars, fragment.base, fragment.size
        for k in fragment.words:
            row.bold += page.words[k].chars if page.words[k].flags & BOLD else 0
            row.mono += page.words[k].chars if page.words[k].flags & MONO else 0
    _find_marker(page, row)


def _on_row(main: OpenFragment, f: OpenFragment) -> bool:
    if main.group >= 0 or f.group >= 0:
        return False
    reach = LEVEL if _like(main.size, f.size, LIKE_SIZE) else RAISED
    return abs(f.base - main.base) <= reach * max(main.size, f.size)


def _find_rows(page: Page, start: int, end: int, frame: int) -> None:
    order, fragments = page.order, page.fragments
    order[start:end] = sorted(order[start:end], key=lambda k: (fragments[k].base, k))
    while start < end:
        main = page.at(start)
        stop = start + 1
        while stop < end and _on_row(main, page.at(stop)):
            if page.at(stop).size > main.size:
                main = page.at(stop)
            stop += 1
        if main.group >= 0:
            page.rows.append(OpenRow(start, 1, -1))
            start = stop
            continue
        rtl = sum(1 if page.at(place).flags & WORD_RTL else -1 for place in range(start, stop))
        if rtl > 0:
            order[start:stop] = sorted(order[start:stop], key=lambda k: (-fragments[k].u1, k))
        else:
            order[start:stop] = sorted(order[start:stop], key=lambda k: (fragments[k].u0, k))
        while start < stop:
            piece = start + 1
            while piece < stop and not (page.at(start).flags | page.at(piece).flags) & SOURCE:
                piece += 1
            row = OpenRow(start, piece - start, frame)
            _measure_row(page, row)
            page.rows.append(row)
            start = piece


def _is_group(page: Page, row: OpenRow) -> bool:
    return page.at(row.first).group >= 0


def _is_code(row: OpenRow) -> bool:
    return row.mono * 10 >= row.chars * 8


def _all_bold(row: OpenRow) -> bool:
    return row.bold * 10 >= row.chars * 9


def _gaps(page: Page, row: OpenRow) -> bool:
    lead = 1 if row.marker and len(page.at(row.first).words) == 1 else 0
    return row.count - lead > 1


def _is_tabular(page: Page, k: int, start: int, end: int) -> bool:
    rows = page.rows
    if not _gaps(page, rows[k]):
        return False
    return (k > start and _gaps(page, rows[k - 1]) and not _is_group(page, rows[k - 1])) or (
        k + 1 < end and _gaps(page, rows[k + 1]) and not _is_group(page, rows[k + 1])
    )


def _stands_apart(page: Page, k: int, start: int, end: int) -> bool:
    rows = page.rows
    row, prev = rows[k], rows[k - 1]
    if _is_group(page, row) or _is_group(page, prev) or (row.flags | prev.flags) & SOURCE:
        return True
    gap, usual = row.base - prev.base, -1.0
    if not _like(row.size, prev.size, SAME_SIZE) or gap > LEADING_MAX * row.size:
        return True
    if (
        k - 1 > start
        and _like(prev.size, rows[k - 2].size, SAME_SIZE)
        and prev.base - rows[k - 2].base > 0.5 * row.size
    ):
        usual = prev.base - rows[k - 2].base
    if k + 1 < end and _like(row.size, rows[k + 1].size, SAME_SIZE):
        after = rows[k + 1].base - row.base
        if after > 0.5 * row.size and (usual < 0 or after < usual):
            usual = after
    return gap > LONE_LEADING * row.size if usual < 0 else gap > WIDER * usual + SLACK * row.size


@dataclass(slots=True)
class _Run:
    start: int
    end: int
    left: float = 0.0
    right: float = 0.0
    hanging: bool = False


def _is_short(page: Page, run: _Run, k: int) -> bool:
    return run.right - page.rows[k].u1 > page.rows[k + 1].first_word + FITS * page.rows[k].size


def _centred(a: OpenRow, b: OpenRow) -> bool:
    off = 0.5 * (a.u0 + a.u1) - 0.5 * (b.u0 + b.u1)
    return abs(off) < MIDDLE * a.size and abs(a.u0 - b.u0) > INDENT * a.size


def _measure_run(page: Page, run: _Run) -> None:
    rows = page.rows
    run.left = min(row.u0 for row in rows[run.start : run.end])
    run.right = max(row.u1 for row in rows[run.start : run.end])
    hanging = 0
    for k in range(run.start + 1, run.end):
        shift, step = rows[k].u0 - rows[k - 1].u0, INDENT * rows[k].size
        if shift > step:
            hanging += -1 if _is_short(page, run, k - 1) else 1
        elif shift < -step:
            hanging += 1 if _is_short(page, run, k - 1) else -1
    run.hanging = hanging > 0


def _marker_begins(page: Page, run: _Run, k: int, block: OpenBlock) -> bool:
    row = page.rows[k]
    if not row.marker:
        return False
    if row.marker == BULLET and is_bullet(page.code(page.words[page.at(row.first).words[0]].first)):
        return True
    shift = row.u0 - page.rows[block.first_row].u0
    if _is_short(page, run, k - 1) or (block.marker == row.marker and abs(shift) < 0.5 * row.size):
        return True
    return row.marker == BULLET and row.u0 - page.rows[k - 1].u0 > 0.3 * row.size


def _begins_block(page: Page, run: _Run, k: int, block: OpenBlock) -> bool:
    row, prev = page.rows[k], page.rows[k - 1]
    shift, step = row.u0 - prev.u0, INDENT * row.size
    tabular = _is_tabular(page, k, run.start, run.end)
    if tabular != _is_tabular(page, k - 1, run.start, run.end):
        return True
    if tabular:
        return False
    if _is_code(row) != _is_code(prev):
        return True
    if _is_code(row):
        return False
    if _marker_begins(page, run, k, block):
        return True
    if _all_bold(row) != _all_bold(prev) and row.bold * 2 < row.chars + prev.bold and run.right - prev.u1 > prev.size:
        return True
    if _centred(prev, row):
        return False
    if _is_short(page, run, k - 1):
        return True
    if block.marker:
        return block.rows > 1 and shift < -step
    if run.hanging:
        return shift < -step
    return shift > step and block.rows > 0 and prev.u0 - run.left < step


def _rounded(v: float, steps: float) -> float:
    return math.floor(v * steps + 0.5) / steps


def _measure_block(page: Page, block: OpenBlock) -> None:
    main_chars = main_row = -1
    first = True
    for row in page.rows[block.first_row : block.first_row + block.rows]:
        if row.chars > main_row:
            main_row, block.size = row.chars, row.size
        block.chars += row.chars
        block.bold += row.bold
        block.mono += row.mono
        block.flags |= row.flags & (SOURCE | WORD_RTL)
        for place in range(row.first, row.first + row.count):
            for k in page.at(place).words:
                word = page.words[k]
                block.italic += word.chars if word.flags & ITALIC else 0
                block.math += word.chars if word.flags & WORD_MATH else 0
                if word.chars > main_chars:
                    main_chars, block.font = word.chars, word.font
                if first:
                    block.x0, block.y0, block.x1, block.y1 = word.x0, word.y0, word.x1, word.y1
                    block.mcid = word.mcid
                    block.flags |= word.flags & INVISIBLE
                    first = False
                block.x0, block.y0 = min(block.x0, word.x0), min(block.y0, word.y0)
                block.x1, block.y1 = max(block.x1, word.x1), max(block.y1, word.y1)
    block.x0, block.y0 = _rounded(block.x0, 100), _rounded(block.y0, 100)
    block.x1, block.y1 = _rounded(block.x1, 100), _rounded(block.y1, 100)
    block.size = _rounded(block.size, 10)
    if block.bold * 2 > block.chars:
        block.flags |= BOLD
    if block.italic * 2 > block.chars:
        block.flags |= ITALIC
    if block.mono * 10 >= block.chars * 8:
        block.flags |= MONO


def _blocks_of_group(page: Page, group: int, framed: dict[int, list[int]]) -> None:
    for frame, own in enumerate(page.frame_group):
        if own != group or frame not in framed:
            continue
        start = len(page.order)
        page.order += framed[frame]
        block = OpenBlock(len(page.rows), frame, group, page.main_direction)
        _find_rows(page, start, len(page.order), frame)
        page.blocks.append(block)
        block.rows = len(page.rows) - block.first_row
        _measure_block(page, block)
        block.left, block.right = block.x0, block.x1


def _blocks_of_run(page: Page, run: _Run) -> None:
    _measure_run(page, run)
    block: OpenBlock | None = None
    for k in range(run.start, run.end):
        row = page.rows[k]
        if block is None or _begins_block(page, run, k, block):
            block = OpenBlock(k, -1, -1, page.at(row.first).direction)
            page.blocks.append(block)
            block.marker, block.marker_chars = row.marker, row.marker_chars
            block.left, block.right = run.left, run.right
            if _is_tabular(page, k, run.start, run.end):
                block.flags |= TABULAR
                block.marker = block.marker_chars = 0
        elif _centred(page.rows[k - 1], row):
            block.flags |= CENTRED
        block.rows += 1


def _blocks_of_leaf(page: Page, leaf: int, framed: dict[int, list[int]]) -> None:
    first_row, first_block = len(page.rows), len(page.blocks)
    _find_rows(page, page.leaf_start[leaf], page.leaf_start[leaf + 1], -1)
    start, end = first_row, len(page.rows)
    while start < end:
        stop = start + 1
        while stop < end and not _stands_apart(page, stop, first_row, end):
            stop += 1
        if _is_group(page, page.rows[start]):
            _blocks_of_group(page, page.at(page.rows[start].first).group, framed)
        else:
            _blocks_of_run(page, _Run(start, stop))
        start = stop
    if len(page.blocks) > first_block:
        page.blocks[first_block].flags |= FIRST_IN_LEAF
    for block in page.blocks[first_block:]:
        if block.frame < 0:
            _measure_block(page, block)


def find_blocks(page: Page) -> None:
    framed: dict[int, list[int]] = {}
    for k, fragment in enumerate(page.fragments):
        if fragment.frame >= 0:
            framed.setdefault(fragment.frame, []).append(k)
    for leaf in range(len(page.leaf_start) - 1):
        _blocks_of_leaf(page, leaf, framed)
