"""Rules and images of a page."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from ndfd.native._c.pdftext import RULE_BOX, RULE_FILL, RULE_HORIZONTAL, RULE_VERTICAL
from tests.documents import (
    Page,
    Writer,
    document,
    form_in_itself,
    many_paths,
    nested_forms,
    ruled_table,
    with_invisible_text,
)
from tests.documents.writer import reference
from tests.native.pdftext_engines import both, first_page

UPRIGHT = (RULE_VERTICAL, [110, 100, 110, 200])
FORM = "/Type /XObject /Subtype /Form /BBox [0 0 1000 1000]"


def rules(page: Any) -> list[tuple[int, list[float]]]:
    """The kind and the box of each, the box in whole points."""
    boxes = [[round(value) for value in page.rule_box[4 * i : 4 * i + 4]] for i in range(page.rule_count)]
    return list(zip(page.rule_kind, boxes, strict=True))


def drawn(engine: ModuleType, content: str) -> Any:
    return first_page(engine, document([Page(content)]))


@both
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("10 742 m 110 742 l S", [(RULE_HORIZONTAL, [10, 100, 110, 100])]),
        ("10 742 m 10 642 l S", [(RULE_VERTICAL, [10, 100, 10, 200])]),
        ("10 742 100 -50 re S", [(RULE_BOX, [10, 100, 110, 150])]),
        ("10 742 100 -50 re f", [(RULE_FILL, [10, 100, 110, 150])]),
        ("10 742 100 -50 re B", [(RULE_BOX, [10, 100, 110, 150])]),
        ("10 742 100 -1 re f", [(RULE_HORIZONTAL, [10, 100, 110, 101])]),
        ("10 742 1 -100 re f", [(RULE_VERTICAL, [10, 100, 11, 200])]),
        ("10 742 m 110 742 l 110 642 l S", [(RULE_HORIZONTAL, [10, 100, 110, 100]), UPRIGHT]),
        ("10 742 m 110 642 l S", []),
        ("10 742 m 20 700 30 700 40 742 c S", []),
        ("10 742 100 -50 re n", []),
        ("10 1742 m 110 1742 l S", []),
    ],
    ids=[
        "a level line",
        "an upright line",
        "a stroked box",
        "a filled box",
        "a box filled and stroked",
        "a thin filled box is a line",
        "a narrow filled box is a line",
        "a bent line is two",
        "no slanting line",
        "no curve",
        "nothing that is not painted",
        "nothing off the page",
    ],
)  # fmt: skip
def test_rules_are(engine: ModuleType, content: str, expected: list[tuple[int, list[int]]]) -> None:
    assert rules(drawn(engine, content)) == expected


@both
def test_a_rule_has_the_width_and_colour_of_its_stroke_as_displayed(engine: ModuleType) -> None:
    page = drawn(engine, "0 0 1 RG 2 0 0 2 0 0 cm 1.5 w 10 300 m 110 300 l S")
    assert list(page.rule_width) == [3.0]
    assert list(page.rule_colour) == [0x0000FFFF]


@both
def test_a_ruled_table_has_its_lines(engine: ModuleType) -> None:
    kinds = [kind for kind, _ in rules(first_page(engine, ruled_table()))]
    assert kinds.count(RULE_HORIZONTAL) >= 2
    assert kinds.count(RULE_VERTICAL) >= 2


@both
def test_rules_in_nested_forms_stand_where_they_are_shown(engine: ModuleType) -> None:
    writer = Writer()
    inner = writer.stream("0 0 m 50 0 l S", FORM)
    outer = writer.stream("1 0 0 1 10 20 cm /X Do", f"{FORM} /Resources << /XObject << /X {reference(inner)} >> >>")
    page = Page("2 0 0 2 100 0 cm /X Do", resources=f"/XObject << /X {reference(outer)} >>")
    assert rules(first_page(engine, document([page], writer=writer))) == [(RULE_HORIZONTAL, [120, 802, 220, 802])]


@both
@pytest.mark.parametrize("make", [form_in_itself, lambda: nested_forms(depth=3)])
def test_forms_without_end_are_ended(engine: ModuleType, make: Any) -> None:
    assert first_page(engine, make()).rule_count == 0


@both
def test_an_image_has_its_box_and_the_size_of_its_raster(engine: ModuleType) -> None:
    page = first_page(engine, with_invisible_text())
    assert [round(value) for value in page.image_box] == [0, 0, 595, 842]
    assert list(page.image_pixels) == [2, 2]


@both
def test_of_too_many_paths_the_rest_is_counted(engine: ModuleType) -> None:
    page = first_page(engine, many_paths(30_000))
    assert page.rule_count == 20_000
    assert page.paths_skipped == 10_000


@both
def test_a_path_of_too_many_segments_is_counted_and_left(engine: ModuleType) -> None:
    page = drawn(engine, "0 0 m " + " ".join(f"{i % 500} {i % 7} l" for i in range(5_000)) + " S")
    assert (page.rule_count, page.paths_skipped) == (0, 1)
