"""Headings stand out from the body of the whole document."""

from __future__ import annotations

import pytest

from ndfd.document.draft import Draft
from ndfd.document.headings import depth_of_number, mark_headings
from ndfd.model.document import BlockKind, OutlineItem
from ndfd.native._py.pdftext_values import BOLD, ITALIC
from tests.document.drafts import draft, page

BODY = "The body of the text is what most characters are set in, and it goes on for a while. " * 3


def body(y: float) -> Draft:
    return draft(BODY, y, rows=4)


def marked(*drafts: Draft, outline: tuple[OutlineItem, ...] = ()) -> list[tuple[str, int | None]]:
    made = page(*drafts)
    mark_headings([made], outline)
    return [(block.kind.value, block.level) for block in made.blocks if block.kind is not BlockKind.PARAGRAPH]


def test_the_largest_line_of_the_first_page_is_the_title() -> None:
    assert marked(draft("On Reading", 50, size=20), body(100), draft("Methods", 200, size=14), body(250)) == [
        ("title", 1),
        ("heading", 1),
    ]


def test_a_line_centred_below_the_title_in_a_style_of_its_own_names_the_authors() -> None:
    title, authors = draft("A Long Title of a Paper", 50, size=20), draft("Ann Author", 80, size=12)
    authors.bbox = (85.0, 80.0, 130.0, 92.0)
    assert marked(title, authors, body(100), draft("Methods", 200, size=14), body(250)) == [
        ("title", 1),
        ("heading", 1),
    ]
    assert authors.kind is BlockKind.PARAGRAPH


def test_a_line_below_the_title_in_the_style_of_the_headings_is_one() -> None:
    title, first = draft("A Long Title of a Paper", 50, size=20), draft("Ann Author", 80, size=14)
    first.bbox = (85.0, 80.0, 130.0, 92.0)
    assert len(marked(title, first, body(100), draft("Methods", 200, size=14), body(250))) == 3


def test_larger_sizes_are_higher_levels() -> None:
    found = marked(
        *(draft("On Reading", 20, size=20), body(40), draft("One", 100, size=16)),
        *(body(150), draft("Two", 200, size=13), body(250)),
    )
    assert [level for _, level in found] == [1, 1, 2]


def test_short_bold_lines_are_headings_and_bold_sentences_are_not() -> None:
    assert marked(draft("Methods", 50, flags=BOLD), body(100), draft("Never do this.", 200, flags=BOLD), body(250)) == [
        ("heading", 1)
    ]


def test_numbering_decides_the_level() -> None:
    found = marked(
        *(draft("2 Methods", 50, flags=BOLD), body(100), draft("2.1 Data", 200, flags=BOLD), body(250)),
        *(draft("2.1.3 Sources", 300, flags=BOLD), body(350)),
    )
    assert [level for _, level in found] == [1, 2, 3]


def test_plain_numbered_lines_are_no_headings() -> None:
    assert marked(body(50), draft("1. wash the apples", marker_kind=2), draft("2. cut them", marker_kind=2)) == []


def test_a_numbered_line_in_italics_is_a_heading() -> None:
    assert marked(body(50), draft("A. Data Sources", flags=ITALIC, marker_kind=2), body(350)) == [("heading", 1)]


@pytest.mark.parametrize("text", ["Abstract", "REFERENCES", "5. Conclusions"])
def test_well_known_names_alone_on_their_line_are_headings(text: str) -> None:
    assert marked(body(50), draft(text, 200), body(250)) == [("heading", 1)]


def test_an_outline_names_headings_and_their_levels() -> None:
    outline = (OutlineItem("3 - Plain looking", 2, 1),)
    assert marked(body(50), draft("3 – Plain Looking", 200), body(250), outline=outline) == [("heading", 2)]


def test_structure_tags_name_headings() -> None:
    assert marked(body(50), draft("Looks like text", 200, note="H3"), body(250)) == [("heading", 3)]


def test_a_document_all_in_bold_has_no_headings_for_that() -> None:
    bold = draft(BODY, 50, flags=BOLD, rows=4)
    assert marked(bold, draft("Some words", 200, flags=BOLD), draft(BODY, 250, flags=BOLD, rows=4)) == []


def test_formulas_and_figures_are_no_headings() -> None:
    assert marked(body(50), draft("12345", size=16), draft("x=y+z", size=16, math=5), body(350)) == []


def test_a_document_without_text_has_no_headings() -> None:
    assert marked() == []


@pytest.mark.parametrize(
    ("text", "depth"),
    [("3 Methods", 1), ("3.1. Data", 2), ("A.1. Proofs", 2), ("IV. Results", 1), ("Chapter 3 Data", 1), ("Methods", 0)],
)
def test_the_depth_of_a_number_is_that_of_its_parts(text: str, depth: int) -> None:
    assert depth_of_number(text) == depth
