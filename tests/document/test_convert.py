"""Whole documents, from their bytes to each rendering."""

from __future__ import annotations

import gc
import hashlib
import mmap

import msgspec
import pytest

from ndfd import errors
from ndfd.document import convert, read
from ndfd.model.conversion import ConvertOptions, OutputFormat, PageReport
from ndfd.model.document import BlockKind, Document, PageStatus
from ndfd.native import IMPLEMENTATION
from tests import documents


def markdown(data: bytes) -> str:
    return convert(data, ConvertOptions())[0].decode()


def test_a_page_of_text_becomes_markdown() -> None:
    assert "Hello there" in markdown(documents.text_pages(["Hello there"]))


def test_two_columns_are_read_one_after_the_other() -> None:
    text = markdown(documents.two_columns())
    left, right = text.lower().find("left"), text.lower().find("right")
    assert 0 <= left < right


def test_a_ruled_table_becomes_a_table() -> None:
    assert "| Apples | 12 |" in markdown(documents.ruled_table())


@pytest.mark.parametrize("form", list(OutputFormat))
def test_each_format_has_its_media_type_and_size(form: OutputFormat) -> None:
    data = documents.text_pages(["Hello"], ["there"])
    rendered, report = convert(data, ConvertOptions(format=form))
    assert b"Hello" in rendered
    assert (report.pages, report.pages_partial, report.pages_failed) == (2, 0, 0)
    assert (report.media_type, report.size_bytes) == (form.media_type, len(rendered))
    assert report.cpu_s > 0


def test_json_is_the_documented_record() -> None:
    data = documents.ruled_table()
    rendered, _ = convert(data, ConvertOptions(format=OutputFormat.JSON, name="t.pdf"))
    record = msgspec.json.decode(rendered, type=Document)
    assert record == read(data, ConvertOptions(name="t.pdf"))
    assert record.provenance.sha256 == hashlib.sha256(data).hexdigest()
    assert record.provenance.native == IMPLEMENTATION
    assert [block.id for block in record.pages[0].blocks] == [
        f"p1-b{i}" for i in range(1, len(record.pages[0].blocks) + 1)
    ]


def test_an_mmap_is_read_as_it_is() -> None:
    data = documents.text_pages(["Mapped"])
    with mmap.mmap(-1, len(data)) as mapped:
        mapped.write(data)
        assert b"Mapped" in convert(mapped, ConvertOptions())[0]


def test_pages_are_reported_as_they_are_read() -> None:
    reports: list[PageReport] = []
    convert(documents.text_pages(["a"], ["b"]), ConvertOptions(), reports.append)
    assert [(report.number, report.total, report.status) for report in reports] == [
        (1, 2, PageStatus.OK),
        (2, 2, PageStatus.OK),
    ]


def test_a_page_that_cannot_be_loaded_is_failed_and_the_others_are_read() -> None:
    rendered, report = convert(documents.broken_page(2, 3), ConvertOptions())
    assert (report.pages, report.pages_failed, [problem.number for problem in report.problems]) == (3, 1, [2])
    assert report.problems[0].reasons
    assert rendered


def test_fields_and_their_values_are_in_the_text() -> None:
    record = read(documents.form())
    values = {block.text for block in record.pages[0].blocks if block.source == "form"}
    assert any(value and any(value in text for text in values) for value in map(str, documents.FORM_VALUES.values()))


def test_links_are_kept() -> None:
    assert "](<http" in markdown(documents.with_links())


def test_hidden_text_under_a_picture_is_text() -> None:
    assert "scanner" in markdown(documents.with_invisible_text())


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_turned_pages_read_the_same(rotation: int) -> None:
    assert markdown(documents.rotated(rotation)) == markdown(documents.rotated(0))


def test_a_font_without_encoding_makes_the_page_partial() -> None:
    _, report = convert(documents.type3_without_encoding(), ConvertOptions())
    assert report.pages_partial == 1
    assert "no usable encoding" in report.problems[0].reasons[0]


def test_structure_tags_make_headings() -> None:
    kinds = [block.kind for page in read(documents.tagged()).pages for block in page.blocks]
    assert BlockKind.HEADING in kinds or BlockKind.TITLE in kinds


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (documents.empty(), errors.EmptyDocument),
        (documents.not_a_pdf(), errors.UnsupportedFormat),
        (documents.no_pages(), errors.NoPages),
        (documents.encrypted_rc4(), errors.PasswordRequired),
    ],
)
def test_what_cannot_be_read_is_an_error_of_the_tree(data: bytes, error: type[errors.NdfdError]) -> None:
    with pytest.raises(error):
        convert(data, ConvertOptions())


def test_a_password_opens_an_encrypted_document() -> None:
    options = ConvertOptions(password="user")
    assert convert(documents.encrypted_aes256(), options)[0]


@pytest.mark.parametrize("form", OutputFormat)
def test_a_conversion_leaves_no_cycles_for_the_collector_that_it_pauses(form: OutputFormat) -> None:
    gc.collect()
    gc.disable()
    try:
        for data in (documents.ruled_table([["a", "b"], ["1", "2"]]), documents.form(), documents.tagged()):
            convert(data, ConvertOptions(form))
        assert not gc.isenabled()
        assert gc.collect() == 0
    finally:
        gc.enable()
    convert(documents.form(), ConvertOptions(form))
    assert gc.isenabled()


def test_an_empty_page_is_an_empty_rendering() -> None:
    rendered, report = convert(documents.no_contents(), ConvertOptions())
    assert (rendered, report.pages, report.pages_partial) == (b"", 1, 0)


def test_html_bears_the_documents_own_title() -> None:
    rendered, _ = convert(documents.with_metadata("On <titles>"), ConvertOptions(OutputFormat.HTML, name="a name"))
    assert b"<title>On &lt;titles&gt;</title>" in rendered
    rendered, _ = convert(documents.numbered_pages(1), ConvertOptions(OutputFormat.HTML, name="a name"))
    assert b"<title>a name</title>" in rendered
