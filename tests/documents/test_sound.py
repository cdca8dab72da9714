"""PDFium reads in the sound documents what their builders say they hold."""

from __future__ import annotations

import ctypes

import pypdfium2
import pypdfium2.raw as pdfium_c
import pytest

from tests import documents
from tests.documents.engine import opened, texts


def test_the_same_builder_gives_the_same_bytes() -> None:
    for build in (
        documents.form,
        documents.tagged,
        documents.with_outline,
        documents.encrypted_aes256,
    ):
        assert build() == build()


def test_lines_come_back_as_they_were_written_with_characters_beyond_ascii() -> None:
    assert texts(documents.text_pages(["Ünïcode – €", "(brackets) \\ slash"], ["2"])) == [
        "Ünïcode – €\n(brackets) \\ slash",
        "2",
    ]


def test_two_columns_are_drawn_row_by_row() -> None:
    (text,) = texts(documents.two_columns())
    assert text.splitlines()[0] == "left 1 of the column right 1 of the column"


def test_a_ruled_table_has_a_stroked_line_for_each_rule() -> None:
    with opened(documents.ruled_table()) as document:
        paths = list(document[0].get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_PATH]))
        assert len(paths) == 4 + 3


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_rotated_page_keeps_its_crop_box_and_says_its_rotation(rotation: int) -> None:
    with opened(documents.rotated(rotation, (100, 200, 500, 500))) as document:
        page = document[0]
        assert page.get_rotation() == rotation
        assert page.get_size() == ((400, 300) if rotation % 180 == 0 else (300, 400))
        assert page.get_cropbox() == (100, 200, 500, 500)


def test_metadata_keeps_characters_that_are_not_latin_1() -> None:
    with opened(documents.with_metadata()) as document:
        assert document.get_metadata_dict()["Author"] == "Ada Łovelace"


def test_one_link_goes_outside_and_one_to_the_second_page() -> None:
    with opened(documents.with_links()) as document:
        page = document[0]
        outside, inside = (pdfium_c.FPDFLink_GetLinkAtPoint(page, 80, y) for y in (700, 650))
        assert outside
        assert inside
        target = pdfium_c.FPDFLink_GetDest(document, inside)
        assert pdfium_c.FPDFDest_GetDestPageIndex(document, target) == 1
        buffer = ctypes.create_string_buffer(100)
        pdfium_c.FPDFAction_GetURIPath(document, pdfium_c.FPDFLink_GetAction(outside), buffer, 100)
        assert buffer.value == b"https://example.org/a?b=c"


def test_the_outline_has_two_levels_and_an_item_without_a_target() -> None:
    with opened(documents.with_outline()) as document:
        items = [(item.get_title(), item.level, item.get_dest()) for item in document.get_toc()]
        found = [(title, level, dest.get_index() if dest else None) for title, level, dest in items]
    assert found == [
        ("One", 0, 0),
        ("One point one", 1, 1),
        ("Zwei – 二", 0, 2),
        ("Nowhere", 0, None),
    ]


def test_the_looping_outline_comes_back_to_its_first_item() -> None:
    with opened(documents.with_looping_outline()) as document:
        first = pdfium_c.FPDFBookmark_GetFirstChild(document, None)
        second = pdfium_c.FPDFBookmark_GetNextSibling(document, first)
        again = pdfium_c.FPDFBookmark_GetNextSibling(document, second)
        assert ctypes.addressof(first.contents) == ctypes.addressof(again.contents)


def test_page_labels_change_style_and_prefix() -> None:
    with opened(documents.with_page_labels()) as document:
        assert [document.get_page_label(index) for index in range(5)] == [
            "i",
            "ii",
            "1",
            "2",
            "A-1",
        ]


def test_invisible_text_is_text_in_render_mode_three_over_an_image() -> None:
    with opened(documents.with_invisible_text()) as document:
        page = document[0]
        kinds = {item.type: item for item in page.get_objects()}
        assert pdfium_c.FPDF_PAGEOBJ_IMAGE in kinds
        text = kinds[pdfium_c.FPDF_PAGEOBJ_TEXT]
        assert pdfium_c.FPDFTextObj_GetTextRenderMode(text) == pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE


def test_odd_names_do_not_keep_the_text_from_being_read() -> None:
    assert texts(documents.with_odd_names()) == ["Names may hold anything"]


def test_the_tagged_document_is_tagged_and_its_elements_own_its_text() -> None:
    with opened(documents.tagged()) as document:
        assert pdfium_c.FPDFCatalog_IsTagged(document)
        page = document[0]
        tree = pdfium_c.FPDF_StructTree_GetForPage(page)
        roles = list(_roles(pdfium_c.FPDF_StructTree_GetChildAtIndex(tree, 0)))
        pdfium_c.FPDF_StructTree_Close(tree)
    assert roles == [
        "Document",
        "H1",
        "P",
        "Table",
        "TR",
        "TH",
        "TH",
        "TR",
        "TD",
        "TD",
        "Figure",
    ]


def _roles(element: object) -> list[str]:
    buffer = ctypes.create_string_buffer(64)
    size = pdfium_c.FPDF_StructElement_GetType(element, buffer, 64)
    own = buffer.raw[: size - 2].decode("utf-16-le")
    kids = (
        pdfium_c.FPDF_StructElement_GetChildAtIndex(element, index)
        for index in range(pdfium_c.FPDF_StructElement_CountChildren(element))
    )
    return [own, *(role for kid in kids if kid for role in _roles(kid))]


def test_form_values_are_in_the_fields_and_not_in_the_page_text() -> None:
    with opened(documents.form()) as document:
        assert "Łovelace" not in texts(documents.form())[0]
        document.init_forms()
        page = document[0]
        found = dict(_fields(document, page))
    assert found["person.name"] == "Ada Łovelace"
    assert found["notes"].replace("\r", "\n") == "First line\nSecond line"
    assert found["colour"] == "green"
    assert set(found) == set(documents.FORM_VALUES)


def _fields(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage) -> list[tuple[str, str]]:
    found = []
    for index in range(pdfium_c.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium_c.FPDFPage_GetAnnot(page, index)
        values = []
        for read in (
            pdfium_c.FPDFAnnot_GetFormFieldName,
            pdfium_c.FPDFAnnot_GetFormFieldValue,
        ):
            buffer = ctypes.create_string_buffer(512)
            size = read(
                document.formenv,
                annotation,
                ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)),
                512,
            )
            values.append(buffer.raw[: max(0, size - 2)].decode("utf-16-le"))
        found.append((values[0], values[1]))
        pdfium_c.FPDFPage_CloseAnnot(annotation)
    return found


def test_annotations_have_contents_that_are_not_in_the_page_text() -> None:
    assert texts(documents.annotated()) == ["Something that matters"]
    with opened(documents.annotated()) as document:
        found = []
        for index in range(pdfium_c.FPDFPage_GetAnnotCount(document[0])):
            annotation = pdfium_c.FPDFPage_GetAnnot(document[0], index)
            buffer = ctypes.create_string_buffer(512)
            size = pdfium_c.FPDFAnnot_GetStringValue(
                annotation,
                b"Contents",
                ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)),
                512,
            )
            found.append(buffer.raw[: max(0, size - 2)].decode("utf-16-le"))
            pdfium_c.FPDFPage_CloseAnnot(annotation)
    assert found == [*documents.ANNOTATION_TEXTS.values(), "", documents.HIDDEN_NOTE]
