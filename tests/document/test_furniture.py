"""Running headers and footers are what repeats."""

from __future__ import annotations

from ndfd.document.furniture import mark_furniture
from ndfd.model.document import BlockKind
from tests.document.drafts import draft, page

H, F, P = BlockKind.HEADER, BlockKind.FOOTER, BlockKind.PARAGRAPH


def test_text_at_the_same_place_of_all_pages_is_furniture_whatever_its_digits() -> None:
    pages = [
        page(draft("Journal, vol. 3", 20), draft(f"Text {i}" * 9), draft(f"Page {i} of 5", 770), number=i)
        for i in range(1, 6)
    ]
    mark_furniture(pages)
    assert [[block.kind for block in each.blocks] for each in pages] == [[H, P, F]] * 5


def test_headers_of_left_and_right_pages_may_differ() -> None:
    pages = [page(draft("Left" if i % 2 else "Right", 20), draft("Text"), number=i) for i in range(1, 9)]
    mark_furniture(pages)
    assert {each.blocks[0].kind for each in pages} == {H}


def test_pages_numbered_in_roman_have_the_same_footer_as_those_in_digits() -> None:
    numbers = ("i", "ii", "1", "2")
    pages = [page(draft(f"Text {n}" * 9), draft(f"A handbook {n}", 770), number=i) for i, n in enumerate(numbers, 1)]
    mark_furniture(pages)
    assert {each.blocks[1].kind for each in pages} == {F}


def test_a_lone_page_number_is_furniture_on_a_single_page() -> None:
    only = page(draft("Text"), draft("- 12 -", 780))
    mark_furniture([only])
    assert only.blocks[1].kind is F


def test_the_same_words_elsewhere_on_the_page_are_text() -> None:
    pages = [page(draft("Note", 300), number=i) for i in range(1, 9)]
    mark_furniture(pages)
    assert {each.blocks[0].kind for each in pages} == {P}


def test_text_at_the_top_that_does_not_repeat_is_text() -> None:
    pages = [page(draft(text, 20), number=i) for i, text in enumerate(("One", "Two", "Three", "Four", "Five"), 1)]
    mark_furniture(pages)
    assert {each.blocks[0].kind for each in pages} == {P}
