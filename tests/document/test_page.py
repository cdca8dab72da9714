"""The arrays of a page become drafts in reading order."""

from __future__ import annotations

from ndfd.document.draft import Draft
from ndfd.native._py.pdftext_values import ANNOTATION, BOLD, FIELD, ITALIC
from tests.document.arrays import PROSE, PageBuilder
from tests.document.drafts import read


def only(page: PageBuilder) -> Draft:
    (draft,) = read(page).blocks
    return draft


def test_a_plain_paragraph_has_no_spans() -> None:
    draft = only(PageBuilder().lines(50, 100, *PROSE))
    assert (draft.text, draft.spans, draft.rows) == (" ".join(PROSE), (), 4)


def test_spans_are_the_whole_text_in_runs_of_one_style() -> None:
    page = (
        PageBuilder().line(50, 100, "plain and ").line(100, 100, "slanted words", flags=ITALIC).line(170, 100, "again")
    )
    draft = only(page)
    assert draft.spans == (("plain and ", 0, None), ("slanted words", ITALIC, None), (" again", 0, None))


def test_a_block_all_in_bold_has_one_span() -> None:
    assert only(PageBuilder().line(50, 100, "all bold", flags=BOLD)).spans == (("all bold", BOLD, None),)


def test_links_are_spans_with_their_address() -> None:
    page = PageBuilder().line(50, 100, "see here").link((69, 90, 91, 104), "https://a.b")
    assert only(page).spans == (("see ", 0, None), ("here", 0, "https://a.b"))


def test_links_within_the_document_are_plain_text() -> None:
    assert only(PageBuilder().line(50, 100, "see here").link((69, 90, 91, 104), None)).spans == ()


def test_text_is_composed() -> None:
    assert only(PageBuilder().line(50, 100, "cafe\u0301")).text == "café"


def test_fields_and_annotations_name_their_source() -> None:
    page = PageBuilder().line(50, 100, "Ada", flags=FIELD).line(50, 200, "Stamp", flags=ANNOTATION)
    assert [draft.source for draft in read(page).blocks] == ["form", "annotation"]


def test_comments_are_annotations_and_empty_fields_are_not() -> None:
    page = PageBuilder().note("Text", "check this").note("text", "").note("Highlight", "")
    assert [(note.subtype, note.text) for note in read(page).annotations] == [("Text", "check this")]


def test_structure_tags_reach_their_blocks() -> None:
    page = PageBuilder().line(50, 100, "Heading", mcid=3).lines(50, 140, *PROSE).tag("H2", 3)
    assert [draft.note for draft in read(page).blocks] == ["H2", ""]
