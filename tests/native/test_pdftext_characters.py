"""Characters of a page: what each is, where it stands and what it looks like."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from ndfd.native._c import pdftext as flags
from tests.documents import (
    Page,
    control_characters,
    document,
    huge_media_box,
    lines_of_text,
    mapped_to,
    private_use,
    rotated,
    text_pages,
    with_invisible_text,
    with_odd_names,
)
from tests.native.pdftext_engines import ARRAYS, both, first_page, text

TIMES_BOLD_ITALIC = "<< /Type /Font /Subtype /Type1 /BaseFont /ABCDEF+Times-BoldItalic >>"
COURIER = "<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>"


def quad(array: memoryview, i: int) -> list[float]:
    return [round(value, 2) for value in array[4 * i : 4 * i + 4]]


@both
def test_text_comes_with_generated_line_ends(engine: ModuleType) -> None:
    page = first_page(engine, text_pages(["One line", "and another"]))
    assert text(page) == "One line\r\nand another"
    generated = [i for i in range(page.count) if page.flags[i] & flags.GENERATED]
    assert generated == [8, 9]


@both
def test_arrays_are_read_only_flat_and_of_the_promised_type(engine: ModuleType) -> None:
    page = first_page(engine, text_pages(["Some text"]))
    for name, typecode in ARRAYS.items():
        array = getattr(page, name)
        assert (array.format, array.ndim, array.readonly, array.c_contiguous) == (typecode, 1, True, True), name


@both
def test_an_array_keeps_its_memory_when_page_and_document_are_gone(engine: ModuleType) -> None:
    codes = first_page(engine, text_pages(["Still here"])).codepoint
    assert "".join(map(chr, codes)) == "Still here"


@both
def test_boxes_are_in_points_from_the_top_left_and_hold_their_glyph(engine: ModuleType) -> None:
    page = first_page(engine, document([Page(lines_of_text(["H"], left=100, top=742, size=20))]))
    assert [round(value, 2) for value in page.origin] == [100, 100]
    x0, y0, x1, y1 = quad(page.loose, 0)
    left, top, right, bottom = quad(page.tight, 0)
    assert x0 == 100
    assert x0 <= left < right <= x1
    assert y0 <= top < bottom <= 100 <= y1
    assert page.size[0] == 20


@both
@pytest.mark.parametrize(
    ("rotation", "size", "origin", "direction"),
    [
        (0, (400, 400), (20, 20), 0),
        (90, (400, 400), (380, 20), 1),
        (180, (400, 400), (380, 380), 2),
        (270, (400, 400), (20, 380), 3),
    ],
)
def test_rotation_and_crop_box_are_applied(
    engine: ModuleType, rotation: int, size: tuple[int, int], origin: tuple[int, int], direction: int
) -> None:
    page = first_page(engine, rotated(rotation))
    at = text(page).index("Upright")
    assert (page.width, page.height, page.rotation) == (*size, rotation)
    assert (round(page.origin[2 * at]), round(page.origin[2 * at + 1])) == origin
    assert page.direction[at] == direction


@both
def test_a_page_on_its_side_swaps_width_and_height(engine: ModuleType) -> None:
    page = first_page(engine, rotated(90, crop_box=(100, 200, 300, 600)))
    assert (page.width, page.height) == (400, 200)


@both
@pytest.mark.parametrize(
    ("matrix", "direction"),
    [("1 0 0 1", 0), ("1 0.05 -0.05 1", 0), ("0 -1 1 0", 1), ("-1 0 0 -1", 2), ("0 1 -1 0", 3), ("1 1 -1 1", 4)],
)
def test_the_direction_is_that_of_the_baseline_in_quarter_turns(
    engine: ModuleType, matrix: str, direction: int
) -> None:
    page = first_page(engine, document([Page(f"BT /F1 12 Tf {matrix} 300 400 Tm (turned) Tj ET")]))
    assert set(page.direction) == {direction}


@both
def test_the_size_is_as_rendered(engine: ModuleType) -> None:
    page = first_page(engine, document([Page("2 0 0 2 0 0 cm BT /F1 3 Tf 1 0 0 1.5 50 50 Tm (tall) Tj ET")]))
    assert list(page.size) == [9.0] * 4


@both
def test_the_fill_colour_is_given_with_its_alpha(engine: ModuleType) -> None:
    page = first_page(engine, document([Page("1 0 0.2 rg BT /F1 12 Tf 72 700 Td (red) Tj ET")]))
    assert set(page.colour) == {0xFF0033FF}


@both
def test_a_font_is_named_without_its_subset_prefix_and_says_its_style(engine: ModuleType) -> None:
    content = "BT /F1 12 Tf 72 700 Td (bold) Tj /F2 12 Tf 0 -20 Td (mono) Tj ET"
    with engine.Document(document([Page(content, fonts={"F1": TIMES_BOLD_ITALIC, "F2": COURIER})])) as opened:
        page = opened.page(0)
        bold, mono = opened.fonts[page.font[0]], opened.fonts[page.font[page.count - 1]]
    assert (bold.name, bold.flags, bold.embedded) == ("Times-BoldItalic", flags.BOLD | flags.ITALIC, False)
    assert (mono.name, mono.flags) == ("Courier", flags.MONO)
    assert page.flags[0] == flags.BOLD | flags.ITALIC


@both
def test_a_font_name_that_is_no_utf_8_is_read_as_latin_1(engine: ModuleType) -> None:
    with engine.Document(with_odd_names()) as opened:
        opened.page(0)
        assert opened.fonts[0].name == "Odd Name(/)é"


@both
def test_the_fonts_of_all_pages_are_numbered_once(engine: ModuleType) -> None:
    with engine.Document(text_pages(["One"], ["Two"], ["Three"])) as opened:
        pages = [opened.page(i) for i in range(3)]
        assert {index for page in pages for index in page.font} == {0}
        assert len(opened.fonts) == 1


@both
def test_text_under_a_scan_is_marked_invisible(engine: ModuleType) -> None:
    page = first_page(engine, with_invisible_text("hidden"))
    assert text(page) == "hidden"
    assert all(value & flags.INVISIBLE for value in page.flags)


@both
@pytest.mark.parametrize("make", [control_characters, private_use])
def test_what_is_evidently_no_text_is_marked_garbage(engine: ModuleType, make: Any) -> None:
    page = first_page(engine, make())
    assert page.count > 0
    assert all(value & flags.GARBAGE for value in page.flags)


@both
def test_a_character_beyond_the_basic_plane_is_one_character(engine: ModuleType) -> None:
    page = first_page(engine, mapped_to(0xD835DC65, text="A"))  # U+1D465 as UTF-16, as ToUnicode maps have it
    assert list(page.codepoint) == [0x1D465]
    assert not page.flags[0] & flags.GARBAGE


@both
def test_half_a_surrogate_pair_is_replaced_and_marked_garbage(engine: ModuleType) -> None:
    page = first_page(engine, mapped_to(0xD835, text="A"))
    assert list(page.codepoint) == [0xFFFD]
    assert page.flags[0] & flags.GARBAGE


@both
def test_a_soft_hyphen_at_a_line_end_is_given_as_a_hyphen(engine: ModuleType) -> None:
    page = first_page(engine, text_pages(["A word that is hyphen-", "ated in two lines"]))
    hyphens = [i for i in range(page.count) if page.flags[i] & flags.HYPHEN]
    assert [chr(page.codepoint[i]) for i in hyphens] == ["-"]


@both
def test_coordinates_stay_within_a_million_points(engine: ModuleType) -> None:
    far = document([Page("1e7 0 0 1e7 1e30 -1e30 cm BT /F1 12 Tf 1e9 1e9 Td (far) Tj ET")])
    for data in (far, huge_media_box()):
        page = first_page(engine, data)
        for name in ("loose", "tight", "origin"):
            assert all(-1e6 <= value <= 1e6 for value in getattr(page, name))
