"""The built-in document: a daemon is ready when a worker has converted it."""

from __future__ import annotations

PROBE_TEXT = "ndfd is ready"


def probe_document() -> bytes:
    """A PDF of one page that says `PROBE_TEXT` in one of the 14 fonts that every reader has (ISO 32000-2, 9.6.2.2)."""
    content = f"BT /F 24 Tf 36 36 Td ({PROBE_TEXT}) Tj ET".encode("ascii")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 99] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    data = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    # Each entry of the table is exactly 20 bytes long (ISO 32000-2, 7.5.4).
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return b"%sxref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        data,
        size,
        entries,
        size,
        start,
    )
