"""Files that are no document, or a broken one."""

from __future__ import annotations

from tests.documents.sound import numbered_pages
from tests.documents.writer import (
    Page,
    Writer,
    add_page,
    array,
    document,
    lines_of_text,
    reference,
)


def empty() -> bytes:
    """No bytes at all."""
    return b""


def not_a_pdf() -> bytes:
    """The beginning of a PNG picture."""
    return b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


def plain_text() -> bytes:
    """A text file."""
    return b"Dear reader,\nthis is no PDF at all.\n" * 20


def header_only() -> bytes:
    """A PDF header and nothing else."""
    return b"%PDF-1.7\n"


def garbage_after_header() -> bytes:
    """A PDF header, then bytes that hold no object."""
    return b"%PDF-1.7\n" + bytes(range(256)) * 40


def truncated(share: float = 0.5) -> bytes:
    """The first `share` (0 to 1) of a document of three pages; PDFium can rebuild it only while its trailer is there,
    from about 0.98 on."""
    data = numbered_pages(3)
    return data[: int(len(data) * share)]


def wrong_startxref() -> bytes:
    """Three sound pages whose cross-reference table is not where the file says; PDFium rebuilds it."""
    return numbered_pages(3).replace(b"startxref\n", b"startxref\n9")


def junk_before_header(size: int = 1000) -> bytes:
    """`size` zero bytes before a sound document; PDFium looks for the header in the first 1,024 bytes."""
    return bytes(size) + numbered_pages(1)


def no_pages() -> bytes:
    """A catalog and a page tree with 0 pages."""
    return document([])


def broken_page(number: int = 2, count: int = 3, kind: str = "null") -> bytes:
    """`count` pages that say "Page N", except page `number` (1-based), which PDFium cannot load. By `kind` its place in
    the page tree holds null, a reference to an object that does not exist ("missing"), a number, or a font."""
    writer = Writer()
    tree = writer.reserve()
    kids = []
    for current in range(1, count + 1):
        if current == number:
            bodies = {
                "null": "null",
                "missing": "9999 0 R",
                "number": "42",
                "font": "<< /Type /Font >>",
            }
            kids.append(reference(writer.add(bodies[kind])) if kind in ("number", "font") else bodies[kind])
        else:
            kids.append(reference(add_page(writer, tree, Page(lines_of_text([f"Page {current}"])))))
    writer.put(tree, f"<< /Type /Pages /Count {count} /Kids {array(kids)} >>")
    return writer.finish(writer.add(f"<< /Type /Catalog /Pages {reference(tree)} >>"))


def recursive_page_tree() -> bytes:
    """A page tree whose kids are the tree itself and claim to be three pages: PDFium opens it and loads none."""
    writer = Writer()
    tree = writer.reserve()
    writer.put(tree, f"<< /Type /Pages /Count 3 /Kids {array([reference(tree)] * 3)} >>")
    return writer.finish(writer.add(f"<< /Type /Catalog /Pages {reference(tree)} >>"))


def phantom_pages(count: int = 100_000) -> bytes:
    """A page tree that claims `count` pages and has one: PDFium believes it, and loads only the first."""
    writer = Writer()
    tree = writer.reserve()
    page = add_page(writer, tree, Page(lines_of_text(["The only page"])))
    writer.put(tree, f"<< /Type /Pages /Count {count} /Kids [{reference(page)}] >>")
    return writer.finish(writer.add(f"<< /Type /Catalog /Pages {reference(tree)} >>"))


def huge_media_box(points: float = 1e9) -> bytes:
    """A page `points` wide and high with text in its corner."""
    return document(
        [
            Page(
                lines_of_text(["A word in a corner"]),
                media_box=(0.0, 0.0, points, points),
            )
        ]
    )


def no_contents() -> bytes:
    """A page whose contents are an object that does not exist."""
    return document([Page(contents=9999)])


def broken_content(text: str = "Before the fault") -> bytes:
    """A content stream that shows `text`, then breaks off inside a string with brackets unbalanced."""
    return document([Page(lines_of_text([text]) + "\nBT /F1 12 Tf ] >> (never closed ((")])
