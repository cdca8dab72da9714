"""Characters become words."""

from __future__ import annotations

from types import ModuleType

import pytest

from ndfd.native._py.pdftext_values import ANNOTATION, BOLD, FIELD, INVISIBLE, ITALIC
from tests.document.arrays import PageBuilder

SPACE_BEFORE, RTL, MATH = 8, 16, 32


@pytest.fixture(params=["ndfd.native._c.layout", "ndfd.native._py.layout"])
def kernel(request: pytest.FixtureRequest) -> ModuleType:
    return pytest.importorskip(request.param)


def words(kernel: ModuleType, page: PageBuilder, **options: object) -> list[str]:
    arrays = page.build()
    return [
        "".join(map(chr, arrays.codepoint[word.first : word.first + word.length]))
        for word in kernel.analyse(arrays, **options).words()
    ]


def test_spaces_part_words(kernel: ModuleType) -> None:
    assert words(kernel, PageBuilder().line(50, 100, "two  words\tand\u00a0more")) == ["two", "words", "and", "more"]


def test_a_gap_parts_words_where_there_is_no_space(kernel: ModuleType) -> None:
    page = PageBuilder().char(ord("a"), 50, 100).char(ord("b"), 55, 100).char(ord("c"), 64, 100)
    assert words(kernel, page) == ["ab", "c"]


def test_letter_spacing_does_not_part_words(kernel: ModuleType) -> None:
    page = PageBuilder()
    for i, char in enumerate("wide"):
        page.char(ord(char), 50 + 7 * i, 100)
    assert words(kernel, page) == ["wide"]


def test_a_raised_smaller_figure_is_a_word_without_a_space_before_it(kernel: ModuleType) -> None:
    page = PageBuilder().char(ord("x"), 50, 100).char(ord("2"), 55, 96, 7)
    first, second = kernel.analyse(page.build()).words()
    assert (first.flags & SPACE_BEFORE, second.flags & SPACE_BEFORE) == (SPACE_BEFORE, 0)
    assert kernel.analyse(page.build()).text == "x2"


def test_direction_parts_words(kernel: ModuleType) -> None:
    page = PageBuilder().char(ord("a"), 50, 100).char(ord("b"), 55, 100, direction=1)
    assert words(kernel, page) == ["a", "b"]


@pytest.mark.parametrize("source", [FIELD, ANNOTATION])
def test_what_a_field_or_an_annotation_says_is_a_word_of_its_own(kernel: ModuleType, source: int) -> None:
    page = PageBuilder().char(ord("a"), 50, 100).char(ord("b"), 55, 100, flags=source)
    found = kernel.analyse(page.build()).words()
    assert [word.flags & (FIELD | ANNOTATION) for word in found] == [0, source]


def test_a_letter_drawn_twice_a_hair_apart_is_one_letter(kernel: ModuleType) -> None:
    page = PageBuilder()
    for i, char in enumerate("bold"):
        page.char(ord(char), 50 + 5 * i, 100).char(ord(char), 50.3 + 5 * i, 100)
    assert kernel.analyse(page.build()).text == "bold"


def test_letters_of_a_ligature_that_share_their_place_are_both_kept(kernel: ModuleType) -> None:
    page = PageBuilder().char(ord("o"), 50, 100).char(ord("f"), 55, 100).char(ord("f"), 55, 100).char(ord("e"), 60, 100)
    assert kernel.analyse(page.build()).text == "offe"


def test_a_ligature_wider_than_a_letter_does_not_part_its_word(kernel: ModuleType) -> None:
    wide = (55, 92, 63, 102)
    page = PageBuilder().char(ord("o"), 50, 100).raw(ord("f"), wide, (55, 100)).raw(ord("t"), wide, (55, 100))
    assert kernel.analyse(page.char(ord("e"), 63, 100).build()).text == "ofte"


def test_the_style_of_a_word_is_that_of_most_of_its_letters(kernel: ModuleType) -> None:
    page = PageBuilder()
    for i, char in enumerate("note:"):
        page.char(ord(char), 50 + 5 * i, 100, flags=0 if char == ":" else BOLD)
    assert kernel.analyse(page.build()).words()[0].flags & BOLD


def test_italics_of_a_font_of_mathematics_are_no_emphasis(kernel: ModuleType) -> None:
    page = PageBuilder().line(50, 100, "x", font=1, flags=ITALIC)
    found = kernel.analyse(page.build(), b"\0\1").words()[0]
    assert found.flags & (ITALIC | MATH) == MATH


def test_boxes_and_sizes_are_those_of_the_characters(kernel: ModuleType) -> None:
    word = kernel.analyse(PageBuilder().line(50, 100, "abcd", 20).build()).words()[0]
    assert (word.x0, word.x1, word.base, word.size) == (50, 90, 100, 20)
    assert (word.y0, word.y1) == (84, 104)


def test_a_font_that_claims_to_be_many_times_its_size_high_gets_a_plain_box(kernel: ModuleType) -> None:
    page = PageBuilder().raw(ord("x"), (50, -400, 55, 500), (50, 100))
    word = kernel.analyse(page.build()).words()[0]
    assert (word.y0, word.y1) == (92.5, 102.2)


def test_words_know_their_frame(kernel: ModuleType) -> None:
    from array import array

    page = PageBuilder().line(50, 100, "in out")
    frames, groups = array("f", (40, 80, 61, 120)), array("i", (0,))
    assert [word.frame for word in kernel.analyse(page.build(), b"", frames, groups).words()] == [0, -1]


def test_visible_and_invisible_characters_are_counted_apart(kernel: ModuleType) -> None:
    layout = kernel.analyse(PageBuilder().line(50, 100, "seen").line(50, 120, "hidden", flags=INVISIBLE).build())
    assert (layout.visible, layout.invisible) == (4, 6)


def test_zero_width_characters_and_byte_order_marks_vanish(kernel: ModuleType) -> None:
    page = PageBuilder()
    for x, char in ((50, "a"), (55, "\u200b"), (55, "b"), (60, "\ufeff"), (60, "c")):
        page.char(ord(char), x, 100)
    assert kernel.analyse(page.build()).text == "abc"
