"""Rules become lines, and lines that cross one group."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.document.arrays import PageBuilder

IMPLEMENTATIONS = ("ndfd.native._c.layout", "ndfd.native._py.layout")


@pytest.fixture(params=IMPLEMENTATIONS)
def kernel(request: pytest.FixtureRequest) -> ModuleType:
    return pytest.importorskip(request.param)


def test_pieces_that_touch_are_one_line(kernel: ModuleType) -> None:
    page = PageBuilder().level(100, 50, 151).level(100.5, 149, 250).level(140, 50, 250).upright(50, 100, 140)
    assert kernel.connected_rules(page.build()) == [([(100, 50, 250), (140, 50, 250)], [(50, 100, 140)])]


def test_the_sides_of_a_box_are_lines(kernel: ModuleType) -> None:
    ((levels, uprights),) = kernel.connected_rules(PageBuilder().box(50, 100, 250, 160).build())
    assert (levels, uprights) == ([(100, 50, 250), (160, 50, 250)], [(50, 100, 160), (250, 100, 160)])


def test_a_box_around_the_whole_page_is_no_lines(kernel: ModuleType) -> None:
    assert kernel.connected_rules(PageBuilder().box(0, 0, 600, 800).build()) == []


def test_lines_that_do_not_cross_are_groups_of_their_own(kernel: ModuleType) -> None:
    page = PageBuilder().box(50, 400, 250, 460).box(50, 100, 250, 160)
    assert [levels[0][0] for levels, _ in kernel.connected_rules(page.build())] == [100, 400]


def test_level_lines_that_no_upright_line_crosses_are_no_group(kernel: ModuleType) -> None:
    page = PageBuilder().level(100, 50, 250).level(120, 50, 250).upright(400, 100, 120)
    assert kernel.connected_rules(page.build()) == []


def test_lines_without_a_place_are_left_out(kernel: ModuleType) -> None:
    page = PageBuilder().box(50, 100, 250, 160).level(float("nan"), 50, 250).upright(150, 100, float("inf"))
    assert len(kernel.connected_rules(page.build())[0][0]) == 2


def test_a_page_with_more_pieces_than_a_table_has_no_groups(kernel: ModuleType) -> None:
    page = PageBuilder()
    for i in range(kernel.PIECES_MAX):
        page.level(i % 800, 0, 500).upright(i % 600, 0, 700)
    assert kernel.connected_rules(page.build()) == []


_PLACES = st.one_of(st.integers(0, 40).map(float), st.floats(0, 40, width=32))


@given(st.lists(st.tuples(st.integers(0, 3), _PLACES, _PLACES, _PLACES, _PLACES), max_size=30))
def test_both_implementations_find_the_same_groups(rules: list[tuple[int, float, float, float, float]]) -> None:
    page = PageBuilder(50, 50)
    for kind, x0, y0, x1, y1 in rules:
        page.rule(kind, (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
    compiled, reference = map(pytest.importorskip, IMPLEMENTATIONS)
    assert compiled.connected_rules(page.build()) == reference.connected_rules(page.build())


def test_rules_without_their_boxes_are_refused(kernel: ModuleType) -> None:
    arrays = PageBuilder().level(100, 50, 250).build()
    arrays.rule_box = arrays.rule_box[:3]
    with pytest.raises(ValueError, match="differ in length"):
        kernel.connected_rules(arrays)
