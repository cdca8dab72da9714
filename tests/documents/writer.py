"""A minimal PDF writer that lets a test say exactly what a file holds, sound or not.

It writes what it is told (ISO 32000-1, section 7.5: header, objects, cross-reference table, trailer) and checks
nothing, so that a fault in a file is there on purpose and nowhere else. The same calls give the same bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

A4 = (0.0, 0.0, 595.0, 842.0)

#: Written as it stands where a name or a number is meant.
HELVETICA = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def reference(number: int) -> str:
    """An indirect reference to object `number`."""
    return f"{number} 0 R"


def array(values: Sequence[object]) -> str:
    """A PDF array of things already written in PDF syntax."""
    return "[" + " ".join(_plain(value) for value in values) + "]"


def string(text: str) -> str:
    """A PDF text string: as UTF-16BE in hexadecimal, which needs no escaping and holds every character (7.9.2.2)."""
    return "<" + (b"\xfe\xff" + text.encode("utf-16-be")).hex() + ">"


def show(text: str) -> str:
    """The operand of a text-showing operator for a font with WinAnsiEncoding."""
    return "<" + text.encode("cp1252").hex() + ">"


def lines_of_text(lines: Sequence[str], *, left: float = 72, top: float = 770, size: float = 12) -> str:
    """A content stream that sets `lines` one under another in font /F1; `left` and `top` count from the bottom left."""
    shown = "\n".join(f"{show(line)} Tj T*" for line in lines)
    return f"BT /F1 {size:g} Tf {size * 1.5:g} TL {left:g} {top:g} Td\n{shown}\nET"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


class Writer:
    """Collects numbered objects, then writes them with a cross-reference table that is right."""

    def __init__(self) -> None:
        self._objects: list[bytes | None] = []

    def reserve(self) -> int:
        """The number of an object whose body is given later with `put`; it stays free when none is."""
        self._objects.append(None)
        return len(self._objects)

    def put(self, number: int, body: str | bytes) -> int:
        """Gives object `number` its body, in PDF syntax."""
        self._objects[number - 1] = body.encode("latin-1") if isinstance(body, str) else body
        return number

    def add(self, body: str | bytes) -> int:
        """A new object; returns its number."""
        return self.put(self.reserve(), body)

    def stream(self, data: str | bytes, entries: str = "", *, deflate: bool = False) -> int:
        """A new stream object, with `entries` in its dictionary; returns its number."""
        return self.put(self.reserve(), stream_body(data, entries, deflate=deflate))

    def body(self, number: int) -> bytes:
        """The body of object `number`, b"" for a free one."""
        return self._objects[number - 1] or b""

    @property
    def numbers(self) -> range:
        """Every object number in use or reserved."""
        return range(1, len(self._objects) + 1)

    def finish(self, root: int, trailer: str = "") -> bytes:
        """The whole file, with `root` as its catalog and `trailer` added to its trailer dictionary."""
        out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        rows = ["0000000000 65535 f \n"]
        for number, body in enumerate(self._objects, 1):
            if body is None:
                rows.append("0000000000 00001 f \n")
                continue
            rows.append(f"{len(out):010d} 00000 n \n")
            out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
        size = len(self._objects) + 1
        table = f"xref\n0 {size}\n{''.join(rows)}trailer\n<< /Size {size} /Root {reference(root)} {trailer} >>\n"
        return bytes(out) + f"{table}startxref\n{len(out)}\n%%EOF\n".encode("latin-1")

    def finish_with_stream(self, root: int, compressed: Mapping[int, tuple[int, int]]) -> bytes:
        """The whole file with a cross-reference stream (7.5.8); `compressed` says of a reserved object in which object
        stream it stands, and at which index there."""
        table = self.reserve()
        out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        rows = bytearray(_row(0, 0, 65535))
        for number, body in enumerate(self._objects, 1):
            if number == table:
                rows += _row(1, len(out), 0)
            elif body is not None:
                rows += _row(1, len(out), 0)
                out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
            else:
                rows += _row(2, *compressed[number]) if number in compressed else _row(0, 0, 1)
        entries = f"/Type /XRef /Size {table + 1} /W [1 4 2] /Root {reference(root)}"
        return bytes(out) + b"%d 0 obj\n%b\nendobj\nstartxref\n%d\n%%%%EOF\n" % (
            table,
            stream_body(bytes(rows), entries),
            len(out),
        )


def _row(kind: int, second: int, third: int) -> bytes:
    """One entry of a cross-reference stream with /W [1 4 2]."""
    return struct.pack(">BIH", kind, second, third)


def stream_body(data: str | bytes, entries: str = "", *, deflate: bool = False) -> bytes:
    """The body of a stream object."""
    raw = data.encode("latin-1") if isinstance(data, str) else data
    if deflate:
        raw, entries = zlib.compress(raw), f"/Filter /FlateDecode {entries}"
    return f"<< /Length {len(raw)} {entries} >>\nstream\n".encode("latin-1") + raw + b"\nendstream"


@dataclass(frozen=True)
class Page:
    """One page, before it is written."""

    content: str | bytes = ""
    #: Number of an object that is the content stream, instead of `content`.
    contents: int | None = None
    #: In points: left, bottom, right, top.
    media_box: tuple[float, float, float, float] = A4
    #: Further entries of the page dictionary, in PDF syntax.
    entries: str = ""
    #: Fonts by resource name; a value is a font dictionary or a reference.
    fonts: Mapping[str, str] = field(default_factory=lambda: {"F1": HELVETICA})
    #: Further entries of the resource dictionary, in PDF syntax.
    resources: str = ""


def add_page(writer: Writer, parent: int, page: Page) -> int:
    """Writes one page and its content stream; returns the page's object number."""
    fonts = " ".join(f"/{name} {body}" for name, body in page.fonts.items())
    contents = writer.stream(page.content) if page.contents is None else page.contents
    return writer.add(
        f"<< /Type /Page /Parent {reference(parent)} /MediaBox {array(page.media_box)} /Contents {reference(contents)} "
        f"/Resources << /Font << {fonts} >> {page.resources} >> {page.entries} >>"
    )


def add_page_tree(writer: Writer, pages: Sequence[Page]) -> tuple[int, list[int]]:
    """Writes the pages under one node; returns its object number and those of the pages."""
    parent = writer.reserve()
    kids = [add_page(writer, parent, page) for page in pages]
    writer.put(
        parent,
        f"<< /Type /Pages /Count {len(kids)} /Kids {array([reference(kid) for kid in kids])} >>",
    )
    return parent, kids


def document(
    pages: Sequence[Page],
    *,
    catalog: str = "",
    writer: Writer | None = None,
    trailer: str = "",
) -> bytes:
    """A whole document of `pages`, with `catalog` added to its catalog dictionary.

    Objects that the pages or the catalog refer to are put into `writer` beforehand.
    """
    writer = writer or Writer()
    tree, _ = add_page_tree(writer, pages)
    return writer.finish(writer.add(f"<< /Type /Catalog /Pages {reference(tree)} {catalog} >>"), trailer)
