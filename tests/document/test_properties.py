"""Whatever stands on a page: no character is lost, nothing crashes, and the work grows with the page."""

from __future__ import annotations

import math
import time
from array import array
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndfd.document.fonts import MathFonts
from ndfd.document.page import read_page
from ndfd.native import layout as kernel
from ndfd.native._py import layout as reference
from tests.document.arrays import PROSE, PageBuilder
from tests.document.drafts import read

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;•"
Line = tuple[float, float, str, float, int]
LINES = st.lists(
    st.tuples(
        st.floats(-50, 700),
        st.floats(-50, 900),
        st.text(LETTERS + " ", min_size=1, max_size=30),
        st.sampled_from((6.0, 9.0, 10.0, 12.0, 30.0)),
        st.sampled_from((0, 0, 0, 1, 2, 3, 4)),
    ),
    max_size=30,
)
WILD = st.floats(width=32, allow_nan=True, allow_infinity=True)


def placed(lines: list[Line]) -> PageBuilder:
    page = PageBuilder()
    for x, base, text, size, direction in lines:
        page.line(x, base, text, size, direction=direction)
    return page


def letters(text: str) -> Counter[str]:
    return Counter(char for char in text if not char.isspace())


@given(LINES)
def test_every_character_is_in_the_blocks_once(lines: list[Line]) -> None:
    # What is drawn again on the same spot is dropped on purpose, in another size as well.
    lines = list({line[2]: line for line in lines}.values())
    drafts = read(placed(lines)).blocks
    assert letters("".join(draft.text for draft in drafts)) == letters("".join(line[2] for line in lines))


@given(LINES)
def test_both_implementations_give_the_same(lines: list[Line]) -> None:
    arrays = placed(lines).build()
    frames, groups = array("f", (0, 0, 200, 200, 200, 0, 400, 200)), array("i", (0, 0))
    ours, theirs = (each.analyse(arrays, b"\0\1", frames, groups) for each in (kernel, reference))
    assert (ours.text, ours.blocks, ours.runs, ours.words()) == (
        theirs.text,
        theirs.blocks,
        theirs.runs,
        theirs.words(),
    )


@given(st.lists(st.tuples(st.integers(0, 0x110000), *[WILD] * 7, st.integers(0, 255)), max_size=40))
def test_no_geometry_however_wild_crashes_or_loops(chars: list[tuple[float, ...]]) -> None:
    page = PageBuilder()
    for code, x0, y0, x1, y1, ox, oy, size, direction in chars:
        page.raw(int(code), (x0, y0, x1, y1), (ox, oy), size, direction=int(direction))
    drafts = read(page).blocks
    assert all(math.isfinite(value) for draft in drafts for value in draft.bbox)
    arrays = page.build()
    assert kernel.analyse(arrays).blocks == reference.analyse(arrays).blocks


@given(st.lists(st.tuples(*[st.floats(-1e4, 1e4, width=32)] * 4), max_size=60))
def test_no_rules_however_wild_crash(boxes: list[tuple[float, float, float, float]]) -> None:
    page = PageBuilder().lines(50, 100, *PROSE)
    for x0, y0, x1, y1 in boxes:
        page.box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)).level(y0, x0, x1).upright(x1, y0, y1)
    assert letters("".join(draft.text for draft in read(page).blocks)) == letters("".join(PROSE))


def test_arrays_of_differing_lengths_are_refused() -> None:
    arrays = PageBuilder().line(50, 100, "text").build()
    arrays.size = arrays.size[:-1]
    for each in (kernel, reference):
        with pytest.raises(ValueError, match="differ in length"):
            each.analyse(arrays)


@pytest.mark.parametrize("size", [1e-30, 1e6, 14400.0])
def test_tiny_and_huge_pages_of_one_character_are_read(size: float) -> None:
    page = PageBuilder(size, size).char(ord("x"), size / 2, size / 2, size / 10)
    assert [draft.text for draft in read_page(page.build(), 1, [], MathFonts()).blocks] == ["x"]


def _crowd(count: int, spread: str) -> PageBuilder:
    page = PageBuilder()
    for i in range(count):
        x, y = {
            "one spot": (100.0, 100.0),
            "one line": (i * 20.0, 100.0),
            "one column": (100.0, i * 20.0),
            "scattered": (i * 7919 % 600, i * 104729 % 80000 / 100),
        }[spread]
        page.char(65 + i % 26, x, y)
    return page


@pytest.mark.parametrize("spread", ["one spot", "one line", "one column", "scattered"])
def test_ten_times_the_characters_take_not_a_hundred_times_the_work(spread: str) -> None:
    few, many = (_crowd(count, spread).build() for count in (20_000, 200_000))

    def cost(arrays: object) -> float:
        start = time.process_time()
        kernel.analyse(arrays)
        return time.process_time() - start

    # Linear is 10, quadratic 100; small times are noise.
    assert cost(many) <= 40 * max(min(cost(few) for _ in range(3)), 0.005)
