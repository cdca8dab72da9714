"""Form fields, annotations, links and the structure tree."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from ndfd.native._c.pdftext import ANNOTATION, FIELD, GENERATED
from tests.documents import (
    ANNOTATION_TEXTS,
    FIGURE_ALT,
    FORM_RECTS,
    FORM_VALUES,
    HIDDEN_NOTE,
    TAGGED_TEXTS,
    annotated,
    form,
    tagged,
    text_pages,
    with_links,
)
from tests.native.pdftext_engines import both, first_page, text

PAGE_HEIGHT = 842


def characters(page: Any, entry: Any) -> str:
    return text(page)[entry.first_char : entry.first_char + entry.char_count]


@both
def test_fields_have_their_full_names_and_values(engine: ModuleType) -> None:
    page = first_page(engine, form())
    found = [(entry.name, entry.text) for entry in page.form_texts if entry.name != "size"]
    assert found == [item for item in FORM_VALUES.items() if item[0] != "size"]
    assert [entry.text for entry in page.form_texts if entry.name == "size"] == ["[ ]", "[x]"]


@both
def test_fields_have_their_kinds(engine: ModuleType) -> None:
    page = first_page(engine, form())
    kinds = {entry.name: entry.kind for entry in page.form_texts}
    assert kinds["person.name"] == "text"
    assert kinds["agree"] == "checkbox"
    assert kinds["colour"] == "choice"
    assert kinds["size"] == "radio"


@both
def test_a_value_stands_as_characters_in_its_rectangle(engine: ModuleType) -> None:
    page = first_page(engine, form())
    for entry in page.form_texts:
        if not entry.text:
            assert (entry.first_char, entry.char_count) == (-1, 0)
            continue
        assert characters(page, entry) == entry.text
        x0, y0, x1, y1 = entry.bbox
        for i in range(entry.first_char, entry.first_char + entry.char_count):
            assert page.flags[i] & FIELD
            left, top, right, bottom = page.loose[4 * i : 4 * i + 4]
            assert x0 - 0.01 <= left <= right <= x1 + 0.01
            assert y0 - 0.01 <= top <= bottom <= y1 + 0.01


@both
def test_a_field_is_where_its_widget_is(engine: ModuleType) -> None:
    page = first_page(engine, form())
    for entry in page.form_texts:
        if entry.name in FORM_RECTS:
            left, bottom, right, top = FORM_RECTS[entry.name]
            expected = (left, PAGE_HEIGHT - top, right, PAGE_HEIGHT - bottom)
            assert entry.bbox == pytest.approx(expected, abs=0.2)


@both
def test_the_lines_of_a_value_are_stacked_with_a_generated_line_end_between(engine: ModuleType) -> None:
    page = first_page(engine, form())
    entry = next(entry for entry in page.form_texts if entry.name == "notes")
    at = entry.first_char + entry.text.index("\n")
    assert page.flags[at] & GENERATED
    assert page.loose[4 * entry.first_char + 3] <= page.loose[4 * (at + 1) + 1] + 0.01


@both
def test_runs_are_kept_apart_by_a_generated_line_end(engine: ModuleType) -> None:
    page = first_page(engine, form())
    for entry in page.form_texts:
        if entry.first_char > 0:
            assert page.codepoint[entry.first_char - 1] == ord("\n")
            assert page.flags[entry.first_char - 1] & GENERATED


@both
def test_free_text_is_text_of_the_page_and_comments_are_not(engine: ModuleType) -> None:
    page = first_page(engine, annotated())
    assert {entry.kind: entry.text for entry in page.form_texts} == ANNOTATION_TEXTS
    for entry in page.form_texts:
        if entry.kind == "FreeText":
            assert characters(page, entry) == entry.text
            assert page.flags[entry.first_char] & ANNOTATION
        else:
            assert (entry.first_char, entry.char_count) == (-1, 0)


@both
def test_a_hidden_annotation_is_left_out(engine: ModuleType) -> None:
    page = first_page(engine, annotated())
    assert HIDDEN_NOTE not in text(page)
    assert all(entry.text != HIDDEN_NOTE for entry in page.form_texts)


@both
def test_links_lead_out_of_the_document_or_to_a_page_of_it(engine: ModuleType) -> None:
    outside, inside = first_page(engine, with_links()).links
    assert (outside.uri, outside.page) == ("https://example.org/a?b=c", None)
    assert (inside.uri, inside.page) == (None, 1)
    assert outside.bbox == pytest.approx((72, PAGE_HEIGHT - 712, 200, PAGE_HEIGHT - 696), abs=0.2)


@both
def test_a_tagged_page_names_the_role_of_each_text(engine: ModuleType) -> None:
    with engine.Document(tagged()) as document:
        assert document.tagged
        page = document.page(0)
    shown: dict[int, str] = {}
    for code, mcid in zip(page.codepoint, page.mcid, strict=True):
        shown[mcid] = shown.get(mcid, "") + chr(code)
    owned = [(tag.role, shown[mcid].strip()) for tag in page.tags for mcid in tag.mcids if mcid in shown]
    assert owned == list(TAGGED_TEXTS)


@both
def test_tags_are_depth_first_with_their_depth_and_alternate_text(engine: ModuleType) -> None:
    page = first_page(engine, tagged())
    assert [(tag.role, tag.depth) for tag in page.tags[:4]] == [("Document", 0), ("H1", 1), ("P", 1), ("Table", 1)]
    assert [tag.alt for tag in page.tags if tag.role == "Figure"] == [FIGURE_ALT]
    assert {(tag.row_span, tag.column_span) for tag in page.tags} == {(1, 1)}


@both
def test_cells_have_their_spans(engine: ModuleType) -> None:
    spanning = tagged().replace(b"/S /TH /P", b"/S /TH /A << /O /Table /RowSpan 2 /ColSpan 3 >> /P", 1)
    page = first_page(engine, spanning)
    assert [(tag.row_span, tag.column_span) for tag in page.tags if tag.role == "TH"] == [(2, 3), (1, 1)]


@both
def test_a_document_without_tags_has_no_marked_content(engine: ModuleType) -> None:
    page = first_page(engine, text_pages(["Plain"]))
    assert page.tags == []
    assert set(page.mcid) == {-1}
