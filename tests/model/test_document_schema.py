"""The public JSON form of a document."""

from __future__ import annotations

import msgspec

from ndfd.model.document import (
    SCHEMA_VERSION,
    Block,
    BlockKind,
    Document,
    Page,
    PageStatus,
    Provenance,
    Source,
    Span,
    document_json_schema,
)

DOCUMENT = Document(
    schema_version=SCHEMA_VERSION,
    id="sha256:00",
    source=Source(size_bytes=3, name="a.pdf"),
    media_type="application/pdf",
    metadata={"title": "A"},
    pages=(
        Page(
            number=1,
            width=595.0,
            height=842.0,
            rotation=0,
            status=PageStatus.OK,
            blocks=(
                Block(
                    id="p1-b1",
                    kind=BlockKind.HEADING,
                    text="Hello",
                    bbox=(1.0, 2.0, 3.0, 4.0),
                    level=1,
                    spans=(Span("Hello", bold=True),),
                ),
            ),
        ),
    ),
    outline=(),
    provenance=Provenance(ndfd="0", engine="pdfium", native="c", sha256="00"),
)


def test_a_document_survives_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(DOCUMENT), type=Document) == DOCUMENT


def test_what_is_absent_is_left_out() -> None:
    page = msgspec.json.decode(msgspec.json.encode(DOCUMENT))["pages"][0]
    assert "images" not in page
    assert "table" not in page["blocks"][0]


def test_the_schema_describes_every_struct_and_every_field_of_the_json_form() -> None:
    definitions = document_json_schema()["$defs"]
    block = definitions["Block"]
    assert set(block["properties"]) == set(Block.__struct_fields__)
    assert set(block["required"]) == {"id", "kind", "text", "bbox"}
    assert {"Document", "Page", "Block", "Span", "Table", "Cell", "Provenance"} <= set(definitions)
