"""The smallest document that takes the engine through its whole way: one page, one font, two lines of text."""

from __future__ import annotations

_CONTENT = b"BT /F1 24 Tf 72 720 Td (Ready) Tj /F1 11 Tf 0 -40 Td (The engine reads this line before any other.) Tj ET"

_OBJECTS = (
    b"<< /Type /Catalog /Pages 2 0 R >>",
    b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
    b"<< /Length %d >>\nstream\n%s\nendstream" % (len(_CONTENT), _CONTENT),
    b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
)


def _sample() -> bytes:
    """Header, objects, cross-reference table, trailer (ISO 32000-1, 7.5)."""
    written = b"%PDF-1.7\n"
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(_OBJECTS) + 1)
    for number, body in enumerate(_OBJECTS, start=1):
        table += b"%010d 00000 n \n" % len(written)
        written += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(_OBJECTS) + 1)
    return written + table + trailer + b"startxref\n%d\n%%%%EOF\n" % len(written)


SAMPLE_PDF = _sample()
