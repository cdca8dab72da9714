"""Fragments become regions in reading order."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.document.arrays import COLUMN, PROSE, PageBuilder

LEFT, RIGHT = 50.0, 320.0


@pytest.fixture(params=["ndfd.native._c.layout", "ndfd.native._py.layout"])
def kernel(request: pytest.FixtureRequest) -> ModuleType:
    return pytest.importorskip(request.param)


def text_of(kernel: ModuleType, page: PageBuilder) -> list[str]:
    layout = kernel.analyse(page.build())
    return [layout.text[block.text_start : block.text_end] for block in layout.blocks]


def joined(*lines: str) -> str:
    return " ".join(lines)


def test_lines_are_read_from_top_to_bottom_whatever_order_they_were_drawn_in(kernel: ModuleType) -> None:
    page = PageBuilder()
    for i in (2, 0, 3, 1):
        page.line(LEFT, 100 + 12 * i, PROSE[i])
    assert text_of(kernel, page) == [joined(*PROSE)]


def test_two_columns_are_read_one_after_the_other(kernel: ModuleType) -> None:
    page = PageBuilder().lines(LEFT, 100, *COLUMN).lines(RIGHT, 100, *COLUMN[::-1])
    assert text_of(kernel, page) == [joined(*COLUMN), *_paragraphs(COLUMN[::-1])]


def _paragraphs(lines: tuple[str, ...]) -> list[str]:
    return [joined(*lines)]


def test_columns_drawn_line_by_line_across_are_still_columns(kernel: ModuleType) -> None:
    page = PageBuilder()
    for i, line in enumerate(COLUMN):
        page.line(LEFT, 100 + 12 * i, line).line(RIGHT, 100 + 12 * i, line)
    assert text_of(kernel, page) == [joined(*COLUMN)] * 2


def test_a_heading_over_both_columns_parts_what_is_above_from_what_is_below(kernel: ModuleType) -> None:
    page = PageBuilder().lines(LEFT, 100, *COLUMN).lines(RIGHT, 100, *COLUMN)
    page.line(LEFT, 180, "A heading that stands over both of the columns of the page", 16)
    page.lines(LEFT, 220, *COLUMN).lines(RIGHT, 220, *COLUMN)
    found = text_of(kernel, page)
    assert [text[:9] for text in found] == ["Running t", "Running t", "A heading", "Running t", "Running t"]


def test_three_columns_are_read_from_left_to_right(kernel: ModuleType) -> None:
    page = PageBuilder()
    for x, first in ((30, "Alpha"), (220, "Bravo"), (410, "Gamma")):
        page.lines(x, 100, f"{first} text in its narrow column", *COLUMN)
    assert [text[:5] for text in text_of(kernel, page)] == ["Alpha", "Bravo", "Gamma"]


def test_cells_of_a_table_without_rules_are_read_row_by_row(kernel: ModuleType) -> None:
    page = PageBuilder()
    for i, row in enumerate((("Fruit", "Kilos"), ("Apples", "12"), ("Pears", "7"), ("Plums", "40"))):
        page.line(LEFT, 100 + 14 * i, row[0]).line(250, 100 + 14 * i, row[1])
    assert text_of(kernel, page) == ["Fruit\tKilos\nApples\t12\nPears\t7\nPlums\t40"]


def test_a_page_number_below_two_columns_is_read_last(kernel: ModuleType) -> None:
    page = PageBuilder().lines(LEFT, 100, *COLUMN).lines(RIGHT, 100, *COLUMN).line(LEFT, 760, "Page 7")
    assert text_of(kernel, page)[-1] == "Page 7"


def test_text_of_another_direction_comes_after_and_does_not_mix_in(kernel: ModuleType) -> None:
    page = PageBuilder().line(20, 400, "arXiv:1234.5678", 20, direction=3).lines(LEFT, 100, *PROSE)
    assert text_of(kernel, page) == [joined(*PROSE), "arXiv:1234.5678"]


@pytest.mark.parametrize("direction", [1, 2, 3])
def test_a_page_that_is_turned_is_read_in_its_own_direction(kernel: ModuleType, direction: int) -> None:
    page = PageBuilder(800, 800)
    for i, line in enumerate(PROSE):
        x, base = {1: (400 - 12 * i, 100.0), 2: (500.0, 400 - 12.0 * i), 3: (200 + 12 * i, 600.0)}[direction]
        page.line(x, base, line, direction=direction)
    assert text_of(kernel, page) == [joined(*PROSE)]


def test_frames_of_one_group_are_one_thing_in_the_order(kernel: ModuleType) -> None:
    from array import array

    page = PageBuilder().line(50, 60, "Before").line(50, 100, "a").line(150, 100, "b").line(50, 140, "After")
    frames, groups = array("f", (140, 80, 240, 110, 40, 80, 140, 110)), array("i", (0, 0))
    layout = kernel.analyse(page.build(), b"", frames, groups)
    found = [(layout.text[b.text_start : b.text_end], b.frame) for b in layout.blocks]
    assert found == [("Before", -1), ("b", 0), ("a", 1), ("After", -1)]
