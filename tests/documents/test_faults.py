"""PDFium refuses the broken documents with the error their builders promise, and reads what is left of the others."""

from __future__ import annotations

from collections.abc import Callable

import pypdfium2
import pypdfium2.raw as pdfium_c
import pytest

from tests import documents
from tests.documents.engine import opened, page_text, texts


def refusal(data: bytes, password: str | None = None) -> int:
    """The FPDF_ERR_* code with which PDFium refuses to open `data`."""
    with pytest.raises(pypdfium2.PdfiumError) as caught, opened(data, password):
        pass
    code: int = caught.value.err_code
    return code


@pytest.mark.parametrize(
    "build",
    [
        documents.empty,
        documents.not_a_pdf,
        documents.plain_text,
        documents.header_only,
        documents.garbage_after_header,
        documents.truncated,
    ],
)
def test_what_is_no_document_is_a_format_error(build: Callable[..., bytes]) -> None:
    assert refusal(build()) == pdfium_c.FPDF_ERR_FORMAT


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_document_without_its_end_cannot_be_opened(share: float) -> None:
    assert refusal(documents.truncated(share)) == pdfium_c.FPDF_ERR_FORMAT


def test_a_document_that_lost_only_its_last_bytes_is_rebuilt() -> None:
    assert len(texts(documents.truncated(0.995))) == 3


def test_a_wrong_startxref_is_rebuilt() -> None:
    assert len(texts(documents.wrong_startxref())) == 3


def test_the_header_may_stand_within_the_first_kilobyte_and_not_behind_it() -> None:
    assert len(texts(documents.junk_before_header(1000))) == 1
    assert refusal(documents.junk_before_header(1100)) == pdfium_c.FPDF_ERR_FORMAT


@pytest.mark.parametrize("before", [documents.not_a_pdf, documents.unknown_security_handler])
def test_a_document_without_pages_is_refused_with_the_error_of_the_call_before(
    before: Callable[[], bytes],
) -> None:
    # PDFium gives no document and sets no error, so that FPDF_GetLastError still answers for an earlier failure.
    code = refusal(before())
    assert refusal(documents.no_pages()) == code


@pytest.mark.parametrize("kind", ["null", "missing", "number", "font"])
def test_a_broken_page_cannot_be_loaded_and_the_others_can(kind: str) -> None:
    with opened(documents.broken_page(2, 3, kind)) as document:
        assert len(document) == 3
        assert page_text(document, 0) == "Page 1"
        with pytest.raises(pypdfium2.PdfiumError, match="Failed to load page"):
            page_text(document, 1)
        assert page_text(document, 2) == "Page 3"


def test_a_recursive_page_tree_opens_and_gives_no_page() -> None:
    with opened(documents.recursive_page_tree()) as document:
        assert len(document) == 3
        for index in range(3):
            with pytest.raises(pypdfium2.PdfiumError, match="Failed to load page"):
                document[index]


def test_phantom_pages_are_counted_and_cannot_be_loaded() -> None:
    with opened(documents.phantom_pages(1000)) as document:
        assert len(document) == 1000
        assert page_text(document, 0) == "The only page"
        with pytest.raises(pypdfium2.PdfiumError, match="Failed to load page"):
            document[999]


def test_a_huge_media_box_is_replaced_by_a_letter_page() -> None:
    with opened(documents.huge_media_box()) as document:
        assert document[0].get_size() == (612, 792)
        assert page_text(document, 0) == "A word in a corner"


def test_a_page_without_contents_is_empty() -> None:
    assert texts(documents.no_contents()) == [""]


def test_text_before_a_fault_in_the_content_is_read() -> None:
    assert texts(documents.broken_content()) == ["Before the fault"]


@pytest.mark.parametrize("build", [documents.encrypted_rc4, documents.encrypted_aes256])
def test_an_encrypted_document_opens_with_either_password_and_no_other(
    build: Callable[..., bytes],
) -> None:
    assert refusal(build()) == pdfium_c.FPDF_ERR_PASSWORD
    assert refusal(build(), "wrong") == pdfium_c.FPDF_ERR_PASSWORD
    assert texts(build(), "user") == ["What was locked away"]
    assert texts(build(), "owner") == ["What was locked away"]


@pytest.mark.parametrize("build", [documents.encrypted_rc4, documents.encrypted_aes256])
def test_an_encrypted_document_with_an_empty_user_password_opens_without_asking(
    build: Callable[..., bytes],
) -> None:
    assert texts(build(user_password="")) == ["What was locked away"]


def test_an_unknown_security_handler_is_a_security_error() -> None:
    assert refusal(documents.unknown_security_handler()) == pdfium_c.FPDF_ERR_SECURITY
