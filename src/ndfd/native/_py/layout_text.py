"""Blocks -> text and runs of style; the rules and their reasons stand in ext/layout_text_impl.c."""

from __future__ import annotations

from ndfd.native._py.layout_characters import is_dropped, is_hyphen, is_letter, is_lower, is_wide, needs_normalising
from ndfd.native._py.layout_values import (
    MONO,
    NORMALISE,
    STYLE,
    TABULAR,
    WORD_MATH,
    WORD_SPACE,
    OpenBlock,
    OpenRow,
    OpenWord,
    Page,
)

SPACE, TAB, LINE_END, SOFT_HYPHEN, EM_DASH = 0x20, 0x09, 0x0A, 0xAD, 0x2014
INDENT_MAX = 60
_LIGATURES = ("ff", "fi", "fl", "ffi", "ffl", "st", "st")
_COMPOUNDS = frozenset(
    [
        "self",
        "well",
        "half",
        "cross",
        "high",
        "low",
        "long",
        "short",
        "two",
        "three",
        "four",
        "five",
        "six",
        "so",
        "quasi",
        "non",
        "large",
        "small",
        "first",
    ]
)


def _is_digit(code: int) -> bool:
    return 0x30 <= code <= 0x39


def _push(page: Page, code: int, last: bool, block: OpenBlock) -> None:
    if 0xFB00 <= code <= 0xFB06:
        page.text += map(ord, _LIGATURES[code - 0xFB00])
    elif code != SOFT_HYPHEN or last:
        if needs_normalising(code):
            block.flags |= NORMALISE
        page.text.append(code)


def _note_run(page: Page, start: int, style: int, link: int, block: int) -> None:
    end = len(page.text)
    if page.runs:
        run = page.runs[-1]
        if run[4] == block and run[2] == style and run[3] == link and run[1] + 1 >= start:
            run[1] = end
            return
    page.runs.append([start, end, style, link, block])


def _write_word(page: Page, word: OpenWord, block: OpenBlock, index: int, style: int, last: bool) -> None:
    start, end = len(page.text), word.first + word.count
    for i in range(word.first, end):
        if not is_dropped(page.codepoint[i]):
            _push(page, page.code(i), last and i == end - 1, block)
    own = word.flags & STYLE
    if word.link >= 0 or (own != style and not word.flags & WORD_MATH):
        _note_run(page, start, own, word.link, index)


def _write_row(page: Page, row: OpenRow, block: OpenBlock, index: int) -> None:
    style = block.flags & STYLE
    row.text_start = len(page.text)
    for place in range(row.first, row.first + row.count):
        fragment = page.at(place)
        if place > row.first:
            page.text.append(TAB if block.flags & TABULAR else SPACE)
        fragment.text_start = len(page.text)
        for n, k in enumerate(fragment.words):
            word = page.words[k]
            if n and word.flags & WORD_SPACE:
                page.text.append(SPACE)
            last = place == row.first + row.count - 1 and n == len(fragment.words) - 1
            _write_word(page, word, block, index, style, last)
        fragment.text_end = len(page.text)
    row.text_end = len(page.text)


def _is_compound(text: list[int], start: int, end: int) -> bool:
    k = end - 1
    while k >= start and is_letter(text[k]):
        k -= 1
    if k >= start and (is_hyphen(text[k]) or _is_digit(text[k])):
        return True
    codes = [code | 0x20 for code in text[k + 1 : end]]
    return "".join(map(chr, codes)) in _COMPOUNDS


def _take_hyphen(page: Page) -> None:
    page.text.pop()
    if page.runs and page.runs[-1][1] > len(page.text):
        page.runs[-1][1] = len(page.text)


def _join_rows(page: Page, start: int, following: OpenRow) -> None:
    text = page.text
    last, before = text[-1], text[-2] if len(text) - 1 > start else SPACE
    code = page.code(page.words[page.at(following.first).words[0]].first)
    if last == SOFT_HYPHEN:
        _take_hyphen(page)
    elif is_hyphen(last) and (is_letter(before) or _is_digit(before)) and (is_letter(code) or _is_digit(code)):
        if is_lower(code) and not _is_compound(text, start, len(text) - 1):
            _take_hyphen(page)
    elif not (is_wide(last) and is_wide(code)) and not (last == EM_DASH and before != SPACE):
        text.append(SPACE)


def _indent(page: Page, left: float, row: OpenRow) -> None:
    word = page.words[page.at(row.first).words[0]]
    step = (word.u1 - word.u0) / (word.chars if word.chars > 0 else 1)
    spaces = (row.u0 - left) / step + 0.5 if step > 0 else 0.0
    page.text += [SPACE] * (INDENT_MAX if spaces > INDENT_MAX else int(spaces))


def _write_block(page: Page, index: int) -> None:
    block = page.blocks[index]
    rows = page.rows[block.first_row : block.first_row + block.rows]
    code = bool(block.flags & MONO) and block.frame < 0
    lines = code or bool(block.flags & TABULAR)
    left = min(row.u0 for row in rows)
    block.text_start = start = len(page.text)
    for k, row in enumerate(rows):
        if k and len(page.text) > start:
            if lines:
                page.text.append(LINE_END)
            else:
                _join_rows(page, start, row)
        if code and block.rows > 1:
            _indent(page, left, row)
        _write_row(page, row, block, index)
    if len(page.text) > start and page.text[-1] == SOFT_HYPHEN:
        _take_hyphen(page)
    block.text_end = len(page.text)


def write_text(page: Page) -> None:
    for index in range(len(page.blocks)):
        _write_block(page, index)
