"""What is no heading may be a list item, a caption, a footnote, code or a formula."""

from __future__ import annotations

import pytest

from ndfd.document.draft import Draft
from ndfd.document.kinds import mark_kinds
from ndfd.native._py.pdftext_values import MONO
from tests.document.drafts import draft, page

BODY_SIZE = 10.0


def kinds(*drafts: Draft) -> list[str]:
    made = page(*drafts)
    mark_kinds([made], BODY_SIZE)
    return [block.kind.value for block in made.blocks]


def item(text: str, marker: str, x: float = 50.0) -> Draft:
    return draft(f"{marker} {text}", x=x, marker=marker, marker_kind=1)


def test_an_item_loses_its_marker_and_keeps_it_as_a_field() -> None:
    made = item("an apple", "•")
    assert kinds(made) == ["list_item"]
    assert (made.text, made.marker, made.level) == ("an apple", "•", 1)


def test_the_marker_is_taken_from_the_spans_as_well() -> None:
    made = item("an apple", "•")
    made.spans = (("•", 0, None), (" an ", 0, None), ("apple", 1, None))
    kinds(made)
    assert "".join(text for text, _, _ in made.spans) == made.text


def test_items_nest_by_indent() -> None:
    items = [item("a", "•"), item("b", "–", 70), item("c", "–", 70), item("d", "•")]
    kinds(*items)
    assert [made.level for made in items] == [1, 2, 2, 1]


def test_a_bullet_of_unknown_code_is_a_bullet() -> None:
    made = item("an apple", "\ufffd")
    kinds(made)
    assert made.marker == "•"


@pytest.mark.parametrize(
    "text", ["Figure 3: A tree", "Table 2. Weights", "Fig. 1. Parts", "TABLE IV WEIGHTS"[:0] or "Table IV. x"]
)
def test_captions_begin_with_their_number(text: str) -> None:
    assert kinds(draft(text)) == ["caption"]


@pytest.mark.parametrize("text", ["Figure 3 shows a tree", "Tables are useful", "Figure it out"])
def test_sentences_about_figures_are_no_captions(text: str) -> None:
    assert kinds(draft(text)) == ["paragraph"]


def test_small_marked_text_at_the_foot_is_a_footnote() -> None:
    assert kinds(draft("Text", 100), draft("1 See there.", 700, size=8)) == ["paragraph", "footnote"]


def test_small_text_at_the_top_is_no_footnote() -> None:
    assert kinds(draft("1 See there.", 100, size=8), draft("Text", 700)) == ["paragraph", "paragraph"]


def test_several_rows_in_a_font_of_one_width_are_code() -> None:
    assert kinds(draft("a = 1\nb = 2", flags=MONO, rows=2, code=True), draft("a", flags=MONO)) == ["code", "paragraph"]


def test_lines_of_mathematics_are_formulas() -> None:
    assert kinds(draft("E = mc2", math=4), draft("a + b = c (3)")) == ["formula", "formula"]


def test_text_with_some_mathematics_is_text() -> None:
    assert kinds(draft("where the energy equals E = mc2 for every body at rest", math=5)) == ["paragraph"]
