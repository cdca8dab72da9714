"""The compiled kernel and the Python reference give the same values, bit for bit."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reportlab.pdfgen.canvas import Canvas

from ndfd import errors
from tests import documents
from tests.native.pdftext_engines import compiled, differences, reference

SOUND_AND_BROKEN = [
    documents.annotated,
    documents.broken_content,
    documents.broken_page,
    documents.chinese_not_embedded,
    documents.control_characters,
    documents.deep_arrays,
    documents.deep_graphics_states,
    documents.empty,
    documents.encrypted_aes256,
    documents.form,
    documents.form_in_itself,
    documents.garbage_after_header,
    documents.glyph_numbers_not_embedded,
    documents.header_only,
    documents.huge_media_box,
    documents.junk_before_header,
    documents.looping_kids,
    documents.no_contents,
    documents.no_pages,
    documents.not_a_pdf,
    documents.private_use,
    documents.recursive_page_tree,
    documents.ruled_table,
    documents.tagged,
    documents.truncated,
    documents.two_columns,
    documents.type3_without_encoding,
    documents.with_invisible_text,
    documents.with_links,
    documents.with_looping_outline,
    documents.with_metadata,
    documents.with_odd_names,
    documents.with_outline,
    documents.with_page_labels,
    documents.wrong_startxref,
]


def reportlab_form() -> bytes:
    """Fields, annotations and drawings as another program writes them."""
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.drawString(50, 780, "A form made by another program")
    fields = canvas.acroForm
    fields.textfield(name="text", value="Äpfel & Birnen", x=50, y=700, width=200, height=20, fontSize=10)
    fields.textfield(
        name="lines", value="one\r\ntwo\n\nfour", x=50, y=600, width=200, height=60, fieldFlags="multiline"
    )
    fields.checkbox(name="checked", checked=True, x=50, y=550)
    fields.radio(name="radio", value="one", selected=True, x=50, y=500)
    fields.radio(name="radio", value="two", x=80, y=500)
    fields.choice(name="choice", value="B", options=[("Label A", "A"), ("Label B", "B")], x=50, y=450)
    fields.listbox(name="list", value="B", options=[("Label A", "A"), ("Label B", "B")], x=50, y=380)
    canvas.rotate(30)
    canvas.drawString(200, 100, "askew")
    canvas.roundRect(200, 50, 100, 40, 5)
    canvas.save()
    return out.getvalue()


def outcome(engine: Any, data: bytes, pages: int) -> tuple[Any, ...]:
    """What a document gives: the error it is refused with, or what it says of itself and its first pages."""
    try:
        document = engine.Document(data)
    except errors.NdfdError as error:
        return type(error), str(error)
    with document:
        read = [page_outcome(document, i) for i in range(min(document.page_count, pages))]
        facts = document.page_count, document.tagged, document.metadata(), document.outline(), list(document.fonts)
    return facts, read


def page_outcome(document: Any, index: int) -> Any:
    try:
        return document.page(index)
    except errors.NdfdError as error:
        return type(error), str(error), error.page


def disagreements(data: bytes, pages: int) -> list[str]:
    ours, theirs = outcome(compiled, data, pages), outcome(reference, data, pages)
    if ours[0] != theirs[0] or not isinstance(ours[1], list):
        return [] if ours == theirs else [f"{ours[0]} is not {theirs[0]}"]
    found = []
    for i, (one, other) in enumerate(zip(ours[1], theirs[1], strict=True)):
        if isinstance(one, tuple) or isinstance(other, tuple):
            found += [] if one == other else [f"page {i}: {one} is not {other}"]
        else:
            found += [f"page {i}: {name}" for name in differences(one, other)]
    return found


@pytest.mark.parametrize("make", SOUND_AND_BROKEN, ids=lambda make: make.__name__)
def test_twins_agree_on(make: Callable[[], bytes]) -> None:
    assert disagreements(make(), pages=3) == []


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_twins_agree_on_a_page_rotated_by(rotation: int) -> None:
    assert disagreements(documents.rotated(rotation), pages=1) == []


def test_twins_agree_on_a_form_of_another_program() -> None:
    assert disagreements(reportlab_form(), pages=1) == []


@pytest.mark.parametrize("position", range(0, 100, 5))
def test_twins_agree_on_a_form_cut_off_at_this_percentage(position: int) -> None:
    data = reportlab_form()
    assert disagreements(data[: len(data) * position // 100], pages=1) == []


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twins_agree_on_the_corpus(corpus: Path) -> None:
    files = sorted((corpus / "docs").glob("*.pdf"))
    assert files
    found = {file.name: disagreements(file.read_bytes(), pages=2) for file in files}
    assert {name: differing for name, differing in found.items() if differing} == {}
