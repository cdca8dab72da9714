"""Documents: opening them, what they say of themselves, closing them."""

from __future__ import annotations

import mmap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ndfd import errors
from tests.documents import (
    broken_page,
    empty,
    encrypted_aes256,
    encrypted_rc4,
    garbage_after_header,
    no_pages,
    not_a_pdf,
    text_pages,
    unknown_security_handler,
    with_looping_outline,
    with_metadata,
    with_outline,
    with_page_labels,
)
from tests.native.pdftext_engines import both, first_page, text

encrypted = pytest.mark.parametrize("make", [encrypted_rc4, encrypted_aes256])


@both
@pytest.mark.parametrize(
    ("make", "error"),
    [
        (empty, errors.EmptyDocument),
        (not_a_pdf, errors.UnsupportedFormat),
        (garbage_after_header, errors.DamagedDocument),
        (unknown_security_handler, errors.UnsupportedEncryption),
    ],
)
def test_a_document_that_cannot_be_opened_says_why(
    engine: ModuleType, make: Any, error: type[errors.NdfdError]
) -> None:
    with pytest.raises(error) as caught:
        engine.Document(make())
    assert type(caught.value) is error


@both
@encrypted
def test_an_encrypted_document_asks_for_its_password(engine: ModuleType, make: Any) -> None:
    with pytest.raises(errors.PasswordRequired):
        engine.Document(make(user_password="geheim"))
    with pytest.raises(errors.PasswordWrong):
        engine.Document(make(user_password="geheim"), "falsch")


@both
@encrypted
def test_either_password_opens_an_encrypted_document(engine: ModuleType, make: Any) -> None:
    data = make(user_password="user", owner_password="owner", text="Under lock and key")
    for password in ("user", "owner"):
        with engine.Document(data, password) as document:
            assert text(document.page(0)) == "Under lock and key"


@both
def test_a_password_beyond_ascii_opens_its_document(engine: ModuleType) -> None:
    with engine.Document(encrypted_aes256(user_password="pässwörd"), "pässwörd") as document:
        assert document.page_count == 1


@both
def test_any_contiguous_buffer_is_a_document(engine: ModuleType, tmp_path: Path) -> None:
    data = text_pages(["From a buffer"])
    file = tmp_path / "document.pdf"
    file.write_bytes(data)
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for buffer in (bytearray(data), memoryview(data), mapped):
            assert text(first_page(engine, buffer)) == "From a buffer"


@both
def test_a_document_without_pages_has_none(engine: ModuleType) -> None:
    with engine.Document(no_pages()) as document:
        assert document.page_count == 0


@both
def test_a_page_that_cannot_be_loaded_is_named_and_the_others_are_read(engine: ModuleType) -> None:
    with engine.Document(broken_page(number=2, count=3)) as document:
        assert document.page_count == 3
        with pytest.raises(errors.DamagedDocument) as caught:
            document.page(1)
        assert caught.value.page == 2
        assert document.page(0).count > 0
        assert document.page(2).count > 0


@both
def test_a_page_outside_the_document_is_an_index_error(engine: ModuleType) -> None:
    with engine.Document(text_pages(["Only"])) as document:
        for index in (-1, 1):
            with pytest.raises(IndexError):
                document.page(index)


@both
def test_a_closed_document_reads_nothing_and_closes_again(engine: ModuleType) -> None:
    document = engine.Document(text_pages(["Only"]))
    document.page(0)
    document.close()
    document.close()
    for read in (lambda: document.page(0), document.metadata, document.outline):
        with pytest.raises(ValueError, match="closed"):
            read()
    assert document.fonts[0].name == "Helvetica"


@both
def test_metadata_holds_what_the_file_has(engine: ModuleType) -> None:
    with engine.Document(with_metadata(title="Über PDF", author="Ada Łovelace")) as document:
        metadata = document.metadata()
    assert metadata["Title"] == "Über PDF"
    assert metadata["Author"] == "Ada Łovelace"
    assert metadata["CreationDate"] == "D:20240229120000Z"
    assert metadata["PDFVersion"].startswith(("1.", "2."))
    assert "Subject" not in metadata


@both
def test_the_outline_has_levels_and_pages(engine: ModuleType) -> None:
    with engine.Document(with_outline()) as document:
        outline = [tuple(entry) for entry in document.outline()]
    assert outline == [("One", 1, 0), ("One point one", 2, 1), ("Zwei – 二", 1, 2), ("Nowhere", 1, None)]


@both
def test_an_outline_that_runs_in_a_ring_ends(engine: ModuleType) -> None:
    with engine.Document(with_looping_outline()) as document:
        assert [entry.title for entry in document.outline()] == ["First", "Second"]


@both
def test_pages_have_the_labels_that_the_document_gives_them(engine: ModuleType) -> None:
    with engine.Document(with_page_labels()) as document:
        assert [document.page(i).label for i in range(5)] == ["i", "ii", "1", "2", "A-1"]
    assert first_page(engine, text_pages(["No labels"])).label is None


@both
def test_the_engine_has_a_name(engine: ModuleType) -> None:
    name, version = engine.engine_name().split()
    assert name == "pdfium"
    assert [part.isdigit() for part in version.split(".")] == [True] * 3


@both
def test_initialising_again_does_nothing(engine: ModuleType) -> None:
    engine.initialise()
    engine.initialise(["/nowhere"])
    assert text(first_page(engine, text_pages(["Still works"]))) == "Still works"
