"""Sound documents: what is mutated, and what is converted between the mutations."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests import documents
from tests.bench.selection import samples
from tests.documents import font_files, fonts
from tests.documents.writer import Page, Writer, document, lines_of_text, reference

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

#: Kinds of the corpus that are not sound, or whose files no fuzzer should carry about.
_NOT_GOOD = frozenset({"robust"})
_LARGEST_BYTES = 400_000


class Good(NamedTuple):
    """One sound document."""

    name: str
    data: bytes


def generated() -> list[Good]:
    """Made here; each holds something else that a reader must read."""
    builders = (
        documents.two_columns,
        documents.ruled_table,
        documents.with_metadata,
        documents.with_links,
        documents.with_outline,
        documents.with_page_labels,
        documents.with_invisible_text,
        documents.with_odd_names,
        documents.type3_without_encoding,
        documents.private_use,
        documents.chinese_not_embedded,
        documents.form,
        documents.annotated,
        documents.tagged,
    )
    made = [Good(builder.__name__, builder()) for builder in builders]
    made += [
        Good("numbered_pages", documents.numbered_pages(12)),
        Good("rotated", documents.rotated(90)),
        Good("mapped_to", documents.mapped_to(0x41)),
        Good("glyph_numbers_not_embedded", fonts.glyph_numbers_not_embedded()),
        Good("encrypted_rc4", documents.encrypted_rc4("")),
        Good("encrypted_aes256", documents.encrypted_aes256("")),
        Good("nested_forms", documents.nested_forms(depth=2, fan=3)),
        Good("embedded_font", _embedded_font()),
        Good("object_stream", documents.object_stream_bomb(megabytes=0)),
    ]
    return made


def examples() -> list[Good]:
    """What ndfd ships."""
    return [Good(path.name, path.read_bytes()) for path in sorted(EXAMPLES.glob("*.pdf"))]


def of_corpus(folder: Path) -> list[Good]:
    """Those of a corpus that are sound and not large."""
    chosen = samples(folder, without=_NOT_GOOD)
    return [
        Good(sample.id, sample.path.read_bytes())
        for sample in chosen
        if sample.password is None and sample.path.stat().st_size <= _LARGEST_BYTES
    ]


def _embedded_font() -> bytes:
    """A TrueType font as the file itself has it, not deflated."""
    writer = Writer()
    file = writer.stream(font_files.vera())
    descriptor = writer.add(
        f"<< /Type /FontDescriptor /FontName /Vera /Flags 32 /FontBBox [-183 -236 1287 928] /ItalicAngle 0 "
        f"/Ascent 928 /Descent -236 /CapHeight 730 /StemV 80 /FontFile2 {reference(file)} >>"
    )
    widths = " ".join(["600"] * 224)
    font = (
        f"<< /Type /Font /Subtype /TrueType /BaseFont /Vera /Encoding /WinAnsiEncoding /FirstChar 32 /LastChar 255 "
        f"/Widths [{widths}] /FontDescriptor {reference(descriptor)} >>"
    )
    lines = ["A font of the document's own", "shows these lines."]
    return document([Page(lines_of_text(lines), fonts={"F1": font})], writer=writer)
