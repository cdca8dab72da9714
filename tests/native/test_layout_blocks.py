"""Rows become blocks, and blocks text."""

from __future__ import annotations

from types import ModuleType

import pytest

from ndfd.native._py.pdftext_values import BOLD, FIELD, HYPHEN, ITALIC, MONO
from tests.document.arrays import PROSE, PageBuilder


@pytest.fixture(params=["ndfd.native._c.layout", "ndfd.native._py.layout"])
def kernel(request: pytest.FixtureRequest) -> ModuleType:
    return pytest.importorskip(request.param)


def text_of(kernel: ModuleType, page: PageBuilder) -> list[str]:
    layout = kernel.analyse(page.build())
    return [layout.text[block.text_start : block.text_end] for block in layout.blocks]


def test_a_row_with_room_for_the_next_word_ends_its_paragraph(kernel: ModuleType) -> None:
    page = PageBuilder().lines(50, 100, *PROSE, "and ends.", *PROSE)
    assert [text.split()[-1] for text in text_of(kernel, page)] == ["ends.", "layout"]


def test_wider_leading_parts_paragraphs(kernel: ModuleType) -> None:
    page = PageBuilder().lines(50, 100, *PROSE).lines(50, 160, *PROSE)
    assert len(text_of(kernel, page)) == 2


def test_wide_leading_all_over_is_no_parting(kernel: ModuleType) -> None:
    page = PageBuilder()
    for i, line in enumerate(PROSE):
        page.line(50, 100 + 24 * i, line)
    assert len(text_of(kernel, page)) == 1


def test_an_indented_first_line_begins_a_paragraph(kernel: ModuleType) -> None:
    page = PageBuilder().lines(50, 100, *PROSE)
    page.line(65, 148, PROSE[0][:-3]).lines(50, 160, *PROSE[1:])
    assert len(text_of(kernel, page)) == 2


def test_hanging_indents_keep_an_entry_together(kernel: ModuleType) -> None:
    page = PageBuilder()
    for i in range(3):
        page.line(50, 100 + 24 * i, PROSE[0]).line(70, 112 + 24 * i, "of the journal.")
    assert [text[-8:] for text in text_of(kernel, page)] == ["journal."] * 3


def test_larger_text_is_a_block_of_its_own(kernel: ModuleType) -> None:
    page = PageBuilder().line(50, 100, "A heading", 14).lines(50, 116, *PROSE)
    assert text_of(kernel, page)[0] == "A heading"


def test_a_short_bold_line_is_a_block_of_its_own(kernel: ModuleType) -> None:
    page = PageBuilder().line(50, 100, "A heading", flags=BOLD).lines(50, 112, *PROSE)
    assert text_of(kernel, page)[0] == "A heading"


def test_each_bullet_begins_an_item(kernel: ModuleType) -> None:
    page = PageBuilder().lines(50, 100, "• " + PROSE[0][:-2]).lines(60, 112, "goes on").lines(50, 124, "• second")
    layout = kernel.analyse(page.build())
    assert [(b.marker, b.marker_chars) for b in layout.blocks] == [(kernel.BULLET, 1)] * 2
    assert text_of(kernel, page)[1] == "• second"


@pytest.mark.parametrize("marker", ["1.", "(a)", "iv)", "2.1.", "B."])
def test_numbers_with_a_stop_or_bracket_are_markers(kernel: ModuleType, marker: str) -> None:
    block = kernel.analyse(PageBuilder().line(50, 100, f"{marker} an item").build()).blocks[0]
    assert (block.marker, block.marker_chars) == (kernel.NUMBER, len(marker))


@pytest.mark.parametrize("word", ["1990.", "e.g.", "1", "(see", "a1.", "."])
def test_other_first_words_are_no_markers(kernel: ModuleType, word: str) -> None:
    assert kernel.analyse(PageBuilder().line(50, 100, f"{word} more words").build()).blocks[0].marker == 0


def test_code_keeps_its_lines_and_indents(kernel: ModuleType) -> None:
    page = PageBuilder().lines(50, 100, "def f():", flags=MONO).lines(70, 112, "return 1", flags=MONO)
    assert text_of(kernel, page) == ["def f():\n    return 1"]


def test_what_a_field_says_is_a_block_in_its_place(kernel: ModuleType) -> None:
    page = PageBuilder().line(50, 100, "Name:").line(50, 130, "Town:")
    page.line(90, 100, "Ada", flags=FIELD).line(90, 130, "London", flags=FIELD)
    assert text_of(kernel, page) == ["Name:", "Ada", "Town:", "London"]


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("inter-", "national", "international"),
        ("inter\u00ad", "National", "interNational"),
        ("state-of-the-", "art", "state-of-the-art"),
        ("well-", "known", "well-known"),
        ("Smith-", "Jones", "Smith-Jones"),
        ("20-", "year", "20-year"),
        ("words -", "more", "words - more"),
        ("a sentence", "goes", "a sentence goes"),
        ("a dash\u2014", "here", "a dash\u2014here"),
        ("漢字", "仮名", "漢字仮名"),
    ],
)
def test_row_ends_are_joined_as_the_words_want_it(kernel: ModuleType, first: str, second: str, joined: str) -> None:
    start = "x" * 50 + " "
    page = PageBuilder().line(50, 100, start + first).line(50, 112, second + " " + "y" * 50)
    assert text_of(kernel, page) == [f"{start}{joined} {'y' * 50}"]


def test_the_engines_hyphen_mark_is_a_hyphen(kernel: ModuleType) -> None:
    page = PageBuilder()
    for i, char in enumerate("x" * 40 + " inter-"):
        page.char(ord(char), 50 + 5 * i, 100, flags=HYPHEN if char == "-" else 0)
    page.line(50, 112, "national " + "y" * 37)
    assert "international" in text_of(kernel, page)[0]


@pytest.mark.parametrize(
    ("code", "text"), [(0xFB00, "ff"), (0xFB01, "fi"), (0xFB03, "ffi"), (0xF0B7, "•"), (0xE123, "\ufffd")]
)
def test_ligatures_symbols_and_garbage_become_text(kernel: ModuleType, code: int, text: str) -> None:
    assert text_of(kernel, PageBuilder().line(50, 100, f"a{chr(code)}b")) == [f"a{text}b"]


def test_combining_marks_are_handed_on_for_normalising(kernel: ModuleType) -> None:
    plain, marked = (
        kernel.analyse(PageBuilder().line(50, 100, text).build()).blocks[0].flags for text in ("é", "e\u0301")
    )
    assert (plain & kernel.NORMALISE, marked & kernel.NORMALISE) == (0, kernel.NORMALISE)


def test_runs_name_the_words_in_another_style(kernel: ModuleType) -> None:
    page = (
        PageBuilder().line(50, 100, "plain and ").line(100, 100, "slanted words", flags=ITALIC).line(170, 100, "again")
    )
    layout = kernel.analyse(page.build())
    assert [(layout.text[r.start : r.end], r.style) for r in layout.runs] == [("slanted words", ITALIC)]


def test_runs_name_the_words_under_a_link(kernel: ModuleType) -> None:
    from array import array

    page = PageBuilder().line(50, 100, "see here now")
    layout = kernel.analyse(page.build(), b"", None, None, array("f", (69, 90, 91, 104)))
    assert [(layout.text[r.start : r.end], r.link) for r in layout.runs] == [("here", 0)]


def test_a_row_drawn_again_beside_itself_is_kept_once(kernel: ModuleType) -> None:
    page = PageBuilder().line(50, 100, "A shadowed line").line(50.4, 100.4, "A shadowed line")
    assert text_of(kernel, page) == ["A shadowed line"]


def test_right_to_left_text_keeps_the_order_that_the_engine_gives(kernel: ModuleType) -> None:
    page = PageBuilder()
    words = ["שלום", "עולם"]
    x = 300.0
    for word in words:
        for char in word:
            x -= 5
            page.char(ord(char), x, 100)
        x -= 5
        page.char(0x20, x, 100)
    assert text_of(kernel, page) == [" ".join(words)]
