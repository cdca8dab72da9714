"""Documents whose fonts do not say, or say wrongly, which characters their glyphs stand for."""

from __future__ import annotations

from tests.documents.writer import Page, Writer, document, reference, show

_WORD = "ABBA"


def type3_without_encoding(first_code: int = 1) -> bytes:
    """Four squares drawn by a Type 3 font with glyph names that mean nothing (/g0, /g1), no ToUnicode, at code
    `first_code` and the next: PDFium takes the codes for characters, which at 1 and 2 are control characters."""
    writer = Writer()
    procs = [writer.stream(f"500 0 0 0 400 {height} d1 0 0 400 {height} re f") for height in (400, 700)]
    font = writer.add(
        "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 500 700] /FontMatrix [0.001 0 0 0.001 0 0] "
        f"/CharProcs << /g0 {reference(procs[0])} /g1 {reference(procs[1])} >> "
        f"/Encoding << /Type /Encoding /Differences [{first_code} /g0 /g1] >> "
        f"/FirstChar {first_code} /LastChar {first_code + 1} /Widths [500 500] >>"
    )
    codes = bytes([first_code, first_code + 1, first_code + 1, first_code]).hex()
    content = f"BT /F1 24 Tf 72 700 Td <{codes}> Tj ET"
    return document([Page(content, fonts={"F1": reference(font)})], writer=writer)


def mapped_to(first: int, text: str = _WORD) -> bytes:
    """`text` (A to Z) in Helvetica with a ToUnicode map that sends A to code point `first`, B to the next, and so on:
    0xE000 for private use, 0x0001 for control characters."""
    writer = Writer()
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Odd def /CMapType 2 def\n"
        "1 begincodespacerange <00> <FF> endcodespacerange\n"
        f"1 beginbfrange <41> <5A> <{first:04X}> endbfrange\nendcmap end end"
    )
    font = writer.add(
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding "
        f"/ToUnicode {reference(writer.stream(cmap))} >>"
    )
    content = f"BT /F1 24 Tf 72 700 Td {show(text)} Tj ET"
    return document([Page(content, fonts={"F1": reference(font)})], writer=writer)


def private_use() -> bytes:
    """Four characters that claim to be of the private use area: U+E000, U+E001, U+E001, U+E000."""
    return mapped_to(0xE000)


def control_characters() -> bytes:
    """Four characters that claim to be U+0001 and U+0002 (PDFium takes the latter for a hyphen at a line's end)."""
    return mapped_to(0x0001)


def chinese_not_embedded(text: str = "中文文件") -> bytes:
    """`text` in a font that is not embedded, with a predefined encoding (UniGB-UCS2-H): PDFium knows the characters
    from the encoding; the glyphs are a font's of the reader's machine."""
    content = f"BT /F1 24 Tf 72 700 Td <{text.encode('utf-16-be').hex()}> Tj ET"
    return document(
        [
            Page(
                content,
                fonts={"F1": _composite("STSong-Light", "UniGB-UCS2-H", "CIDFontType0", "GB1")},
            )
        ]
    )


def glyph_numbers_not_embedded(
    glyphs: tuple[int, ...] = (0x12, 0x13, 0x14, 0x15),
) -> bytes:
    """Glyph numbers of a font that is neither embedded nor known (Identity-H, Adobe-Identity, no ToUnicode): nobody can
    say which characters they are, and PDFium gives the numbers themselves."""
    content = f"BT /F1 24 Tf 72 700 Td <{''.join(f'{glyph:04x}' for glyph in glyphs)}> Tj ET"
    return document(
        [
            Page(
                content,
                fonts={"F1": _composite("SimSun", "Identity-H", "CIDFontType2", "Identity")},
            )
        ]
    )


def _composite(base: str, encoding: str, subtype: str, ordering: str) -> str:
    """A composite font (9.7) without a font file."""
    descendant = (
        f"<< /Type /Font /Subtype /{subtype} /BaseFont /{base} /DW 1000 "
        f"/CIDSystemInfo << /Registry (Adobe) /Ordering ({ordering}) /Supplement 2 >> "
        f"/FontDescriptor << /Type /FontDescriptor /FontName /{base} /Flags 6 /FontBBox [-25 -254 1000 880] "
        "/ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >> >>"
    )
    return f"<< /Type /Font /Subtype /Type0 /BaseFont /{base} /Encoding /{encoding} /DescendantFonts [{descendant}] >>"


def vera_not_embedded() -> bytes:
    """Lines in cuts of Bitstream Vera Sans that are neither embedded nor given widths: without the font of the reader's
    machine nobody knows how wide they are. Roman, bold, oblique; then letters in a Chinese font and its bold cut."""
    names = ("BitstreamVeraSansRoman", "BitstreamVeraSansBold", "BitstreamVeraSansOblique")
    fonts = {
        f"F{i}": f"<< /Type /Font /Subtype /TrueType /BaseFont /{name} /Encoding /WinAnsiEncoding >>"
        for i, name in enumerate(names)
    }
    for i, name in enumerate(("STSong-Light", "STSong,Bold"), start=len(names)):
        fonts[f"F{i}"] = _composite(name, "UniGB-UCS2-H", "CIDFontType0", "GB1")
    lines = [show("Wide MW")] * 3 + [f"<{'Wide MW'.encode('utf-16-be').hex()}>"] * 2
    content = "\n".join(f"BT /F{i} 24 Tf 72 {700 - 50 * i} Td {line} Tj ET" for i, line in enumerate(lines))
    return document([Page(content, fonts=fonts), Page(content, fonts=fonts)])
