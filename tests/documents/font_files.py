"""Font files as a host has them, made from those of reportlab."""

from __future__ import annotations

import struct
from pathlib import Path

import reportlab

#: Bitstream Vera Sans in four cuts, by the names of their files.
VERA = Path(reportlab.__file__).parent / "fonts"


def vera(cut: str = "Vera") -> bytes:
    """Bitstream Vera Sans: "Vera", "VeraBd", "VeraIt" or "VeraBI"."""
    return (VERA / f"{cut}.ttf").read_bytes()


def for_chinese(font: bytes) -> bytes:
    """The same font, which claims to cover simplified Chinese (OS/2, ulCodePageRange1, bit 18)."""
    changed = bytearray(font)
    for _, tag, offset in _tables(font):
        if tag == b"OS/2":
            (pages,) = struct.unpack_from(">I", font, offset + 78)
            struct.pack_into(">I", changed, offset + 78, pages | 1 << 18)
    return bytes(changed)


def collection(*fonts: bytes) -> bytes:
    """The fonts in one file (OpenType specification, "Font Collections"), none of their tables shared."""
    header = 12 + 4 * len(fonts)
    starts, body = [], b""
    for font in fonts:
        starts.append(header + len(body))
        moved = bytearray(font)
        for entry, _, offset in _tables(font):
            struct.pack_into(">I", moved, entry + 8, offset + starts[-1])
        body += bytes(moved) + b"\0" * (-len(moved) % 4)
    return struct.pack(f">4sII{len(fonts)}I", b"ttcf", 0x10000, len(fonts), *starts) + body


def _tables(font: bytes) -> list[tuple[int, bytes, int]]:
    """Of each table: where its entry is, its tag, where it begins."""
    (count,) = struct.unpack_from(">4xH", font)
    entries = [12 + 16 * i for i in range(count)]
    return [(at, *struct.unpack_from(">4s4xI", font, at)) for at in entries]
