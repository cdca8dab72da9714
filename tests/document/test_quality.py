"""A page says when its text is not all in the record."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ndfd.document.fonts import MathFonts
from ndfd.document.page import read_page
from ndfd.document.quality import IMAGE_ONLY
from ndfd.model.document import PageStatus
from ndfd.native._py.pdftext_values import GARBAGE, INVISIBLE
from tests.document.arrays import PROSE, PageBuilder

FONTS: list[Any] = [SimpleNamespace(name="Times"), SimpleNamespace(name="XYZ")]


def reasons(page: PageBuilder) -> tuple[str, ...]:
    draft = read_page(page.build(), 1, FONTS, MathFonts())
    assert (draft.status is PageStatus.PARTIAL) == bool(draft.reasons)
    return draft.reasons


def test_a_font_without_an_encoding_makes_the_page_partial_and_is_named() -> None:
    page = (
        PageBuilder()
        .lines(50, 100, *PROSE)
        .line(50, 200, "\ue001\ue002\ue003\ue004\ue005 \ue006", font=1, flags=GARBAGE)
    )
    assert reasons(page) == ("text in font XYZ has no usable encoding: 6 characters",)


def test_the_reasons_do_not_depend_on_the_order_in_which_the_engine_has_met_the_fonts() -> None:
    def page(first: int, second: int) -> PageBuilder:
        odd = PageBuilder().lines(50, 100, *PROSE, font=2)
        odd.line(50, 200, "\ue001\ue002\ue003\ue004\ue005 \ue006", font=first, flags=GARBAGE)
        return odd.line(50, 220, "\ue001\ue002\ue003\ue004\ue005", font=second, flags=GARBAGE)

    def reasons_with(builder: PageBuilder, *names: str) -> tuple[str, ...]:
        fonts: list[Any] = [SimpleNamespace(name=name) for name in names]
        return read_page(builder.build(), 1, fonts, MathFonts()).reasons

    found = reasons_with(page(0, 1), "Abc", "Xyz", "Times")
    assert len(found) == 2
    assert found == reasons_with(page(1, 0), "Xyz", "Abc", "Times")


def test_a_few_odd_characters_in_a_sound_font_are_no_matter() -> None:
    page = PageBuilder().lines(50, 100, *PROSE).line(50, 200, "\ue001 item", flags=GARBAGE)
    assert reasons(page) == ()


def test_an_image_without_text_says_that_there_is_no_ocr() -> None:
    assert reasons(PageBuilder().image(0, 0, 600, 800)) == (IMAGE_ONLY,)


def test_a_scan_with_hidden_text_is_whole() -> None:
    assert reasons(PageBuilder().image(0, 0, 600, 800).lines(50, 100, *PROSE, flags=INVISIBLE)) == ()


def test_an_empty_page_is_whole() -> None:
    assert reasons(PageBuilder()) == ()


def test_a_small_image_alone_is_no_scan() -> None:
    assert reasons(PageBuilder().image(100, 100, 200, 200)) == ()
