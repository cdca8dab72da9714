"""A document that is read in parts and composed is the document that is read whole, to the byte."""

from __future__ import annotations

import itertools
import mmap
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndfd.document import compose, convert, convert_up_to, read, read_part
from ndfd.document.parts import decoded
from ndfd.errors import DocumentChanged, NoPages, PasswordRequired, WorkerProtocolError
from ndfd.model.conversion import ConversionReport, ConvertOptions, OutputFormat, PageReport
from ndfd.model.sections import PAGES_MAX, SECTION_PAGES, SECTIONS_MAX, Section, sections
from tests import documents
from tests.documents import Page, Writer, document, lines_of_text
from tests.documents.writer import reference

EXAMPLES = Path(__file__).parents[2] / "examples"


def stray_fields(pages: int = 5) -> bytes:
    """A field of one name on each page, each with a value of its own, and no list of them: PDFium takes those that it
    meets later for the first one. The engine carries that from page to page."""
    writer = Writer()
    made = []
    for number in range(1, pages + 1):
        field = writer.add(
            f"<< /Type /Annot /Subtype /Widget /FT /Tx /T (same) /V (value {number}) /Rect [100 600 400 620] "
            "/DA (/F1 10 Tf 0 g) >>"
        )
        made.append(Page(lines_of_text([f"Page {number}"]), entries=f"/Annots [{reference(field)}]"))
    return document(made, writer=writer, catalog="/AcroForm << /Fields [] >>")


def book(pages: int = 7) -> bytes:
    """A title, headings, running headers, page numbers and paragraphs that go on over the page's end."""
    made = []
    for number in range(1, pages + 1):
        header = lines_of_text(["A book of many pages"], top=815, size=8)
        heading = lines_of_text([f"{number}. Chapter about {number}"], top=770, size=16)
        text = lines_of_text(["It begins in the middle of a", "sentence and never ends and"] * 3, top=700, size=10)
        foot = lines_of_text([str(number)], top=30, size=8)
        made.append(Page(f"{header}\n{heading}\n{text}\n{foot}"))
    return document(made)


DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "book": book,
    "stray fields": stray_fields,
    "numbered": lambda: documents.numbered_pages(7),
    "links": documents.with_links,
    "outline": documents.with_outline,
    "looping outline": documents.with_looping_outline,
    "labels": documents.with_page_labels,
    "metadata": documents.with_metadata,
    "tagged": documents.tagged,
    "form": documents.form,
    "annotated": documents.annotated,
    "table": documents.ruled_table,
    "no encoding": documents.type3_without_encoding,
    "scan": documents.with_invisible_text,
    "empty page": documents.no_contents,
    "broken page": lambda: documents.broken_page(2, 4),
    "phantom pages": lambda: documents.phantom_pages(40),
    "looping kids": documents.looping_kids,
    "recursive tree": documents.recursive_page_tree,
    **{path.name: path.read_bytes for path in sorted(EXAMPLES.glob("*.pdf"))},
}


def parts_of(data: bytes, options: ConvertOptions, pages: int, section_pages: int) -> list[bytes]:
    return [read_part(data, options, section, pages)[0] for section in sections(pages, section_pages)]


def timeless(report: ConversionReport) -> ConversionReport:
    return msgspec.structs.replace(report, cpu_s=0.0)


@pytest.mark.parametrize("output_format", OutputFormat)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_parts_of_a_document_compose_to_what_a_conversion_of_it_gives(
    name: str, output_format: OutputFormat
) -> None:
    data, options = DOCUMENTS[name](), ConvertOptions(output_format, name="a name.pdf")
    pages = convert(data, options)[1].pages
    for section_pages in (1, 2, 3, SECTION_PAGES):
        whole, report = convert(data, options, section_pages=section_pages)
        composed, composed_report = compose(data, options, pages, parts_of(data, options, pages, section_pages))
        assert bytes(composed) == bytes(whole)
        assert timeless(composed_report) == timeless(report)


@pytest.mark.parametrize("name", set(DOCUMENTS) - {"stray fields"})
def test_where_a_sound_document_is_cut_does_not_show(name: str) -> None:
    data, options = DOCUMENTS[name](), ConvertOptions(OutputFormat.JSON)
    whole, _ = convert(data, options)
    assert [bytes(convert(data, options, section_pages=pages)[0]) == bytes(whole) for pages in (1, 2, 3)] == [True] * 3


def test_what_the_engine_carries_from_page_to_page_ends_with_the_section() -> None:
    data, options = stray_fields(4), ConvertOptions(OutputFormat.TEXT)
    assert convert(data, options, section_pages=2)[0].split(b"\n\n") == [
        b"value 1",
        b"value 1",
        b"value 3",
        b"value 3\n",
    ]


def test_the_record_as_json_is_the_record_encoded() -> None:
    for name in ("book", "outline", "form", "broken page"):
        data, options = DOCUMENTS[name](), ConvertOptions(OutputFormat.JSON, name='","pages":[ {\\"')
        assert bytes(convert(data, options)[0]) == msgspec.json.encode(read(data, options))


def test_a_part_of_an_encrypted_document_needs_the_password_as_the_whole_does() -> None:
    data = documents.encrypted_aes256()
    with pytest.raises(PasswordRequired):
        read_part(data, ConvertOptions(), Section(1, 1), 1)
    options = ConvertOptions(password="user")
    assert compose(data, options, 1, parts_of(data, options, 1, 1))[0] == convert(data, options)[0]


def test_pages_of_a_part_are_told_in_the_documents_own_numbering() -> None:
    told: list[PageReport] = []
    _, report = read_part(book(7), ConvertOptions(), Section(4, 6), 7, told.append)
    assert [(page.number, page.total) for page in told] == [(4, 7), (5, 7), (6, 7)]
    assert report.pages == 3


def test_bad_pages_of_a_part_are_reported_in_the_documents_own_numbering() -> None:
    _, report = read_part(documents.phantom_pages(40), ConvertOptions(), Section(21, 40), 40)
    assert [(page.number, page.total) for page in report.problems] == [(number, 40) for number in range(21, 41)]
    assert (report.pages, report.pages_failed) == (20, 20)


def test_of_a_document_that_is_too_long_only_the_number_of_pages_is_told() -> None:
    told: list[PageReport] = []
    assert convert_up_to(6, book(7), ConvertOptions(), told.append) == 7
    assert told == []
    converted = convert_up_to(7, book(7), ConvertOptions(), told.append)
    assert not isinstance(converted, int)
    assert converted[0] == convert(book(7), ConvertOptions())[0]
    with pytest.raises(NoPages):
        convert_up_to(6, documents.no_pages(), ConvertOptions())


def test_a_document_that_has_other_pages_than_it_had_is_named_as_changed() -> None:
    with pytest.raises(DocumentChanged, match="has 6 pages and had 7"):
        read_part(book(6), ConvertOptions(), Section(1, 3), 7)


def test_each_part_is_done_with_when_the_next_one_is_asked_for() -> None:
    data, options = book(6), ConvertOptions()

    def mapped() -> Iterator[mmap.mmap]:
        for part in parts_of(data, options, 6, 2):
            with mmap.mmap(-1, len(part)) as memory:
                memory.write(part)
                yield memory
            # Closed, which a view that is still held would have refused (BufferError).

    assert compose(data, options, 6, mapped())[0] == convert(data, options)[0]


# What only a worker that a document has taken over would send


def _swapped(parts: list[bytes]) -> list[bytes]:
    return [parts[0], parts[2], parts[1]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda parts: [b"\xc1", *parts[1:]],
        lambda parts: [parts[0][:-1], *parts[1:]],
        lambda parts: [parts[0] + b"\x00", *parts[1:]],
        lambda parts: [b"", *parts[1:]],
        lambda parts: [parts[0].replace(b"Chapter", b"\xff" * 7), *parts[1:]],
        lambda parts: [b"\x91" * 100_000, *parts[1:]],
        lambda parts: parts[:2],
        lambda parts: [*parts, parts[2]],
        lambda parts: [parts[0], parts[0], parts[2]],
        lambda parts: [],
        _swapped,
        lambda parts: [_front_gone(parts[0]), *parts[1:]],
        lambda parts: [parts[0], _front_of(parts[0], parts[1]), parts[2]],
    ],
)
def test_wrong_parts_are_refused(spoil: Callable[[list[bytes]], list[bytes]]) -> None:
    data, options = book(6), ConvertOptions()
    parts = parts_of(data, options, 6, 2)
    compose(data, options, 6, parts)
    with pytest.raises(WorkerProtocolError):
        compose(data, options, 6, spoil(parts))


def _front_gone(part: bytes) -> bytes:
    return msgspec.msgpack.encode([None, msgspec.msgpack.decode(part)[1]])


def _front_of(first: bytes, second: bytes) -> bytes:
    return msgspec.msgpack.encode([msgspec.msgpack.decode(first)[0], msgspec.msgpack.decode(second)[1]])


@pytest.mark.parametrize(
    ("field", "value"), [("flags", 8), ("flags", -1), ("kind", "joke"), ("source", "elsewhere"), ("text", 3)]
)
def test_a_block_that_is_none_is_refused(field: str, value: object) -> None:
    part = decoded(read_part(book(1), ConvertOptions(), Section(1, 1), 1)[0])
    assert part.drafts[0].blocks
    setattr(part.drafts[0].blocks[0], field, value)
    with pytest.raises(WorkerProtocolError, match="malformed"):
        decoded(msgspec.msgpack.encode(part))


# Sections


@given(st.integers(1, PAGES_MAX), st.integers(1, 1000))
def test_the_sections_of_a_document_are_its_pages_in_order(pages: int, section_pages: int) -> None:
    plan = sections(pages, section_pages)
    assert (plan[0].first, plan[-1].last) == (1, pages)
    assert all(before.last + 1 == after.first for before, after in itertools.pairwise(plan))
    assert all(section.first <= section.last for section in plan)
    assert len(plan) <= SECTIONS_MAX
    assert max(section.pages for section in plan) <= max(section_pages, -(-pages // SECTIONS_MAX))


def test_sections_are_about_equally_long_so_that_workers_end_together() -> None:
    assert sections(SECTION_PAGES) == [Section(1, SECTION_PAGES)]
    assert [section.pages for section in sections(SECTION_PAGES + 1)] == [101, 100]
    assert {section.pages for section in sections(2000)} == {200}
    assert [len(sections(10_000)), len(sections(PAGES_MAX))] == [32, 32]
