"""Faults put into streams: content, fonts, character maps and images are inflated, damaged and deflated again."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import replace
from random import Random

from tests.stress.file_faults import EXTREMES, NUMBER
from tests.stress.object_faults import ObjectFault
from tests.stress.pdf_objects import Object, Pdf

#: Of an inflated stream that is changed; a longer one is cut.
_CONTENT_MAX_BYTES = 400_000

_OPERATORS = (
    b"q", b"Q", b"cm", b"BT", b"ET", b"Tj", b"TJ", b"Tf", b"Td", b"TD", b"Tm", b"T*", b"'", b'"', b"Tc", b"Tw", b"Tz",
    b"TL", b"Tr", b"Ts", b"re", b"m", b"l", b"c", b"v", b"y", b"h", b"S", b"s", b"f", b"F", b"f*", b"B", b"b*", b"n",
    b"W", b"W*", b"Do", b"gs", b"cs", b"CS", b"sc", b"scn", b"SCN", b"g", b"rg", b"k", b"sh", b"BI", b"ID", b"EI",
    b"BMC", b"BDC", b"EMC", b"MP", b"DP", b"BX", b"EX", b"d", b"d0", b"d1", b"i", b"j", b"J", b"M", b"ri", b"w",
)  # fmt: skip
_OPERANDS = (
    b"()", b"(A)", b"<00>", b"[]", b"[(A) -1e9 (B)]", b"[[[]]]", b"/F1", b"/X", b"<< /MCID 0 >>", b"<< /MCID -1 >>",
    b"null", b"true", b"(" + b"W" * 3000 + b")", b"<" + b"0041" * 3000 + b">",
)  # fmt: skip
_WORD = re.compile(rb"\((?:[^()\\]|\\.)*\)|<[0-9A-Fa-f\s]*>|/[^\s/<>\[\]()]+|[^\s/<>\[\]()]+|\[|\]|<<|>>", re.DOTALL)

_FILTERS = (
    b"/FlateDecode", b"/LZWDecode", b"/ASCIIHexDecode", b"/ASCII85Decode", b"/RunLengthDecode", b"/CCITTFaxDecode",
    b"/DCTDecode", b"/JPXDecode", b"/JBIG2Decode", b"/Crypt", b"/NoSuchDecode",
)  # fmt: skip


def damaged_content(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """Operators and operands change places, are other ones, are missing or come again and again."""
    number, content = _content(random, pdf, _is_content)
    if content is None:
        return False
    words = _WORD.findall(content[:_CONTENT_MAX_BYTES])
    for _ in range(random.choice((1, 2, 5, 20))):
        if not words:
            break
        at, to = random.randrange(len(words)), random.randrange(len(words))
        match random.randrange(7):
            case 0:
                words[at] = random.choice(_OPERATORS)
            case 1:
                words[at] = random.choice((*EXTREMES, *_OPERANDS))
            case 2:
                words[at], words[to] = words[to], words[at]
            case 3:
                del words[at : at + random.choice((1, 3, 30))]
            case 4:
                words[at:at] = words[to : to + random.choice((1, 6, 40))] * random.choice((1, 2, 50, 500))
            case 5:
                words.insert(at, random.choice(_OPERATORS))
            case _:
                numbers = [place for place, word in enumerate(words) if NUMBER.fullmatch(word)]
                for place in random.sample(numbers, min(len(numbers), random.choice((1, 5, 1000)))):
                    words[place] = random.choice(EXTREMES)
    _replace(pdf, number, b" ".join(words))
    return True


def repeated_content(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """The same operators very often, or one that opens something and is never closed."""
    number, content = _content(random, pdf, _is_content)
    if content is None:
        return False
    opening = (
        b"q ", b"BT ", b"/P BMC ", b"/P << /MCID 0 >> BDC ", b"BX ", b"[", b"<<", b"(", b"q 1 0 0 1 1e30 1e30 cm ",
        b"1e5 0 0 1e5 0 0 cm ", b"0 0 m 1e9 1e9 l S ", b"BT /F1 12 Tf (WW) Tj ET ", b"0 0 10 10 re W n ",
        b"BT 0 0 0 0 0 0 Tm (A) Tj ET ", b"1 0 0 RG ", b"0.1 0 0 0.1 0 0 cm ", b"Q ", b"BI /W 9 /H 9 ID ",
    )  # fmt: skip
    times = random.choice((100, 3000, 50_000))
    repeated = random.choice(opening) * times if random.random() < 0.7 else content[:5000] * min(times, 300)
    _replace(pdf, number, repeated + content if random.random() < 0.5 else content + b" " + repeated)
    return True


def damaged_bytes(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """Any stream, inflated when that is possible: bits, stretches, its length."""
    number, content = _content(random, pdf, lambda item: True)
    if not content:
        return False
    out = bytearray(content[:_CONTENT_MAX_BYTES])
    match random.randrange(4):
        case 0:
            for _ in range(random.choice((1, 4, 32, 300))):
                out[random.randrange(len(out))] ^= 1 << random.randrange(8)
        case 1:
            del out[random.randrange(len(out)) :]
        case 2:
            at = random.randrange(len(out))
            out[at:at] = out[: random.choice((1, 50, 5000))] * random.choice((1, 3))
        case _:
            at = random.randrange(len(out))
            out[at : at + 4] = random.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\0"))
    _replace(pdf, number, bytes(out))
    return True


def damaged_fonts(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """A font program whose tables lie about where they are and what they hold, or with damaged bytes."""
    files = {int(found) for item in pdf.objects.values() for found in _FONT_FILE.findall(item.head)}
    chosen = [number for number in sorted(files) if number in pdf.objects and pdf.objects[number].inflated()]
    if not chosen:
        return _font_descriptions(random, pdf)
    number = random.choice(chosen)
    content = pdf.objects[number].inflated()
    assert content is not None
    out = bytearray(content)
    tables = _font_tables(out)
    for _ in range(random.choice((1, 2, 6))):
        if tables and random.random() < 0.7:
            entry, offset, length = random.choice(tables)
            match random.randrange(4):
                case 0:
                    struct.pack_into(">I", out, entry + 8, random.choice(_EXTREME_OFFSETS))
                case 1:
                    struct.pack_into(">I", out, entry + 12, random.choice(_EXTREME_OFFSETS))
                case 2:
                    # The head of a table: its version and counts.
                    at = min(offset + random.randrange(32), len(out) - 2)
                    struct.pack_into(">H", out, at, random.choice((0, 1, 0x7FFF, 0x8000, 0xFFFF)))
                case _:
                    for at in random.sample(range(max(1, length)), min(max(1, length), 40)):
                        if offset + at < len(out):
                            out[offset + at] = random.randrange(256)
        else:
            for _ in range(random.choice((1, 16, 200))):
                out[random.randrange(len(out))] = random.choice((0, 0x7F, 0x80, 0xFF, random.randrange(256)))
    if random.random() < 0.1:
        del out[random.randrange(1, len(out)) :]
    _replace(pdf, number, bytes(out))
    return True


def damaged_character_maps(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """A map from codes to Unicode or to glyphs with huge ranges, half characters, and words in wrong places."""
    number, content = _content(random, pdf, lambda item: b"begincmap" in (item.inflated() or b""))
    if content is None:
        fonts = [number for number, item in pdf.objects.items() if re.search(rb"/Type\s*/Font\b", item.head)]
        if not fonts:
            return False
        made = pdf.add(Object(b"<< >>", _character_map(random)))
        font = random.choice(fonts)
        head = re.sub(rb"/ToUnicode\s+\d+\s+\d+\s+R", b"", pdf.objects[font].head)
        pdf.objects[font] = replace(pdf.objects[font], head=head.replace(b"<<", b"<< /ToUnicode %d 0 R " % made, 1))
        return True
    if random.random() < 0.4:
        _replace(pdf, number, _character_map(random))
        return True
    words = _WORD.findall(content)
    for _ in range(random.choice((1, 3, 12))):
        at, to = random.randrange(len(words)), random.randrange(len(words))
        strings = (
            b"<>",
            b"<0>",
            b"<FFFFFFFF>",
            b"<D800>",
            b"<DC00D800>",
            b"<0000>",
            b"<" + b"0041" * 5000 + b">",
            b"[",
        )
        words[at] = random.choice((words[to], *strings, *EXTREMES))
    _replace(pdf, number, b" ".join(words))
    return True


def wrong_lengths(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """/Length says too much, too little, or refers to itself."""
    number = _stream(random, pdf)
    if number is None:
        return False
    length = random.choice((*EXTREMES, b"%d 0 R" % number, b"%d 0 R" % pdf.root, b"(9)", b"null"))
    pdf.objects[number] = replace(pdf.objects[number], length=length)
    return True


def filter_chains(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """Filters in a row, some of which the data is not of, with parameters that no image can have."""
    number = _stream(random, pdf)
    if number is None:
        return False
    item = pdf.objects[number]
    count = random.choice((1, 2, 3, 10, 300))
    filters = b" ".join(random.choice(_FILTERS) for _ in range(count))
    parameters = b" ".join(
        b"/%b %b" % (key, random.choice(EXTREMES))
        for key in random.sample(
            (b"Predictor", b"Columns", b"Colors", b"BitsPerComponent", b"EarlyChange", b"K", b"Rows"), 4
        )
    )
    head = re.sub(rb"/(Filter|DecodeParms)\b", rb"/X\1", item.head)
    predictor = random.choice((b"", b"/Predictor 12 ", b"/Predictor 2 "))
    entries = b"<< /Filter [%b] /DecodeParms << %b%b >> " % (filters, predictor, parameters)
    if random.random() < 0.4:
        # Data that is really of these: the parameters are looked at only then.
        entries = b"<< /Filter /FlateDecode /DecodeParms << %b%b >> " % (predictor, parameters)
        item = replace(item, stream=zlib.compress((item.inflated() or b"x")[:_CONTENT_MAX_BYTES], 1))
    pdf.objects[number] = replace(item, head=head.replace(b"<<", entries, 1))
    return True


def bombs(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """A stream that inflates to very much, as content, as font, as image or as character map."""
    number = _stream(random, pdf)
    if number is None:
        return False
    packer = zlib.compressobj(9)
    fill = random.choice((b" ", b"\0", b"q ", b"0 ", b"(A)Tj ", b"[", b"/X Do ")) * 100_000
    size = random.choice((1, 20, 100, 100, 400)) << 20
    data = b"".join(packer.compress(fill) for _ in range(size // len(fill))) + packer.flush()
    filters = b"/FlateDecode"
    if random.random() < 0.7:
        data, filters = zlib.compress(data, 9), b"/FlateDecode /FlateDecode"
    head = re.sub(rb"/(Filter|DecodeParms)\b", rb"/X\1", pdf.objects[number].head)
    pdf.objects[number] = Object(head.replace(b"<<", b"<< /Filter [%b] " % filters, 1), data)
    return True


def form_recursion(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """Forms, patterns and glyphs that show themselves, each other, or each other very often."""
    number, content = _content(random, pdf, _is_content)
    if content is None:
        return False
    pages = [number for number, item in pdf.objects.items() if re.search(rb"/Type\s*/Page\b", item.head)]
    depth, fan = random.choice(((1, 1), (1, 3), (3, 10), (8, 2), (40, 1), (600, 1), (6, 12)))
    first = pdf.free_number()
    kind = random.choice((b"/Subtype /Form", b"/Subtype /Form", b"/Subtype /Form", b"/PatternType 1 /PaintType 1"))
    for position in range(depth):
        following = first + (position + 1 if position + 1 < depth else random.choice((0, depth - 1)))
        if position + 1 == depth and random.random() < 0.5:
            pdf.objects[first + position] = Object(b"<< /Type /XObject %b /BBox [0 0 9 9] >>" % kind, b"BT ET")
            break
        resources = b"/Resources << /XObject << /X %d 0 R >> /Pattern << /X %d 0 R >> >>" % (following, following)
        pdf.objects[first + position] = Object(
            b"<< /Type /XObject %b /BBox [0 0 1e9 1e9] /Matrix [1 0 0 1 0 %b] %b >>"
            % (kind, random.choice((b"0", b"1e9", b"0.1")), resources),
            b"/Pattern cs /X scn 0 0 9 9 re f " + b"/X Do " * fan,
        )
    _replace(pdf, number, b"/X Do " * fan + content)
    for page in pages:
        head = pdf.objects[page].head.replace(b"/XObject", b"/XObjectx")
        resources = b"/XObject << /X %d 0 R >>" % first
        changed = re.sub(rb"/Resources\s*<<", lambda _, r=resources: b"/Resources << " + r, head)  # type: ignore[misc]
        if changed == head:
            head = head.replace(b"/Resources", b"/Resourcesx")
            changed = head.replace(b"<<", b"<< /Resources << " + resources + b" >> ", 1)
        pdf.objects[page] = replace(pdf.objects[page], head=changed)
    return True


def odd_images(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """An image whose size, depth, colours or mask cannot be."""
    images = [number for number, item in pdf.objects.items() if re.search(rb"/Subtype\s*/Image\b", item.head)]
    if not images:
        return False
    number = random.choice(images)
    entries = {
        b"Width": random.choice(EXTREMES),
        b"Height": random.choice(EXTREMES),
        b"BitsPerComponent": random.choice(EXTREMES),
        b"ColorSpace": random.choice(
            (b"/Nothing", b"[/Indexed /DeviceRGB 999999 <00>]", b"[/ICCBased %d 0 R]" % number, b"[/Pattern]", b"[[]]")
        ),
        b"SMask": b"%d 0 R" % number,
        b"Mask": random.choice((b"%d 0 R" % number, b"[-1 99999999999]")),
        b"Decode": b"[1e308 -1e308]",
    }
    head = pdf.objects[number].head
    for key, value in random.sample(sorted(entries.items()), random.choice((1, 2, 4))):
        head = re.sub(b"/" + key + rb"\b", b"/X" + key, head).replace(b"<<", b"<< /%b %b " % (key, value), 1)
    pdf.objects[number] = replace(pdf.objects[number], head=head)
    return True


_FONT_FILE = re.compile(rb"/FontFile[23]?\s+(\d+)\s+\d+\s+R")
_EXTREME_OFFSETS = (0, 1, 12, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)


def _font_tables(font: bytes | bytearray) -> list[tuple[int, int, int]]:
    """Of each table of an OpenType font: where its entry is, its offset, its length; none of other fonts."""
    if len(font) < 12 or font[:4] not in (b"\0\1\0\0", b"OTTO", b"true"):
        return []
    (count,) = struct.unpack_from(">H", font, 4)
    entries = [12 + 16 * position for position in range(count) if 28 + 16 * position <= len(font)]
    return [(entry, *struct.unpack_from(">II", font, entry + 8)) for entry in entries]


def _font_descriptions(random: Random, pdf: Pdf) -> bool:
    """What a font dictionary says: widths, first and last code, encoding, kind."""
    fonts = [number for number, item in pdf.objects.items() if re.search(rb"/Type\s*/Font\b", item.head)]
    if not fonts:
        return False
    number = random.choice(fonts)
    entries = (
        b"/FirstChar %b /LastChar %b /Widths [%b]"
        % (random.choice(EXTREMES), random.choice(EXTREMES), b"1e30 " * random.choice((0, 1, 256, 70_000))),
        b"/Encoding << /Differences [%b /A /A /A -5 /B 1e9 /C (x) /uniD800 /u110000 /g%b] >>"
        % (random.choice(EXTREMES), b"9" * 50),
        b"/Encoding /%b" % random.choice((b"Identity-H", b"UniGB-UCS2-H", b"90ms-RKSJ-V", b"Nothing")),
        b"/Subtype /%b" % random.choice((b"Type0", b"Type1", b"Type3", b"TrueType", b"MMType1", b"CIDFontType2")),
        b"/DescendantFonts [%d 0 R]" % number,
        b"/CharProcs << /A %d 0 R >> /FontMatrix [0 0 0 0 0 0] /FontBBox [0 0 0 0]" % number,
        b"/W [0 [%b] 5 4294967295 1e9]" % (b"500 " * random.choice((1, 70_000))),
        b"/BaseFont /%b" % (b"A" * random.choice((0, 127, 5000))),
    )
    head = pdf.objects[number].head
    for entry in random.sample(entries, random.choice((1, 2, 4))):
        key = entry.split(b" ", 1)[0]
        head = re.sub(re.escape(key) + rb"\b", key + b"x", head).replace(b"<<", b"<< " + entry + b" ", 1)
    pdf.objects[number] = replace(pdf.objects[number], head=head)
    return True


def _character_map(random: Random) -> bytes:
    ranges = (
        b"<0000> <FFFF> <0000>", b"<00000000> <FFFFFFFF> <0041>", b"<FF> <00> <0041>", b"<00> <FF> [<0041> <D800>]",
        b"<00> <FF> <%b>" % (b"0041" * 300), b"<0041> <0042> <D83DDE00>", b"<00> <FF> <FFFF>", b"<0> <F> <>",
        b"<00> <FF> [%b]" % (b"<D800>" * 256), b"<00> <FF> <202E>", b"<00> <FF> <0000>",
    )  # fmt: skip
    chosen = b"\n".join(random.choice(ranges) for _ in range(random.choice((1, 3, 100))))
    return (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def\n"
        b"1 begincodespacerange <00> <FFFF> endcodespacerange\n"
        b"%b beginbfrange\n%b\nendbfrange\n%b beginbfchar <41> <%b> endbfchar endcmap\n"
    ) % (random.choice(EXTREMES), chosen, random.choice(EXTREMES), b"00" * random.choice((0, 1, 2, 3, 4000)))


def _is_content(item: Object) -> bool:
    """A page's or a form's, judged by what it holds."""
    if item.stream is None or (b"/Subtype" in item.head and b"/Form" not in item.head):
        return False
    if b"/FunctionType" in item.head or b"/Length1" in item.head:
        return False
    content = item.inflated()
    return content is not None and re.search(rb"\b(Tj|TJ|Tf|Do|re|cm|BT)\b", content[:20_000]) is not None


def _stream(random: Random, pdf: Pdf) -> int | None:
    numbers = [number for number, item in pdf.objects.items() if item.stream is not None]
    return random.choice(numbers) if numbers else None


def _content(random: Random, pdf: Pdf, wanted: object) -> tuple[int, bytes | None]:
    """A stream of the wanted kind, and what it holds."""
    assert callable(wanted)
    numbers = [number for number, item in pdf.objects.items() if item.stream is not None]
    random.shuffle(numbers)
    for number in numbers:
        content = pdf.objects[number].inflated()
        if content is not None and wanted(pdf.objects[number]):
            return number, content
    return 0, None


def _replace(pdf: Pdf, number: int, content: bytes) -> None:
    pdf.objects[number] = pdf.objects[number].with_content(content)


STREAM_FAULTS: tuple[ObjectFault, ...] = (
    damaged_content,
    damaged_content,
    damaged_content,
    repeated_content,
    damaged_bytes,
    damaged_bytes,
    damaged_fonts,
    damaged_fonts,
    damaged_character_maps,
    wrong_lengths,
    filter_chains,
    form_recursion,
    odd_images,
)
