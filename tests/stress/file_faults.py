"""Faults put into the bytes of a file, whatever they mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

#: Numbers at and beyond the ends of what a reader may count with.
EXTREMES = (
    b"0",
    b"-1",
    b"1",
    b"255",
    b"256",
    b"32767",
    b"32768",
    b"65535",
    b"65536",
    b"1000000",
    b"2147483647",
    b"2147483648",
    b"-2147483648",
    b"4294967295",
    b"4294967296",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"9" * 40,
    b"1" + b"0" * 308,
    b"0.00000000000000000001",
    b"-0.0",
    b"3.4028236e38",
    b"1e308",
    b".",
    b"--1",
    b"1.2.3",
)

#: What the syntax is made of.
TOKENS = (
    b"obj", b"endobj", b"stream", b"endstream", b"xref", b"trailer", b"startxref", b"%%EOF", b"<<", b">>", b"[", b"]",
    b"(", b")", b"<", b">", b"/", b"null", b"true", b"R", b"f", b"n", b"\0", b"\r", b"\xff\xfe", b"%", b"\\", b"/Kids",
    b"/Parent", b"/Type", b"/Page", b"/Pages", b"/Count", b"/Length", b"/Filter", b"/Root", b"/Prev", b"/Size", b"/W",
    b"/Index", b"/Resources", b"/XObject", b"/Font", b"/Contents", b"/Annots", b"/Encrypt", b"/ObjStm", b"/XRefStm",
)  # fmt: skip

NUMBER = re.compile(rb"(?<![\w.#-])-?\d+(?:\.\d+)?(?![\w.])")

FileFault = Callable[[Random, bytes, bytes], bytes]


def flipped_bits(random: Random, data: bytes, other: bytes) -> bytes:
    """Some bits, spread over the file or close together."""
    out = bytearray(data)
    low, high = 0, len(out)
    if random.random() < 0.5:
        low = random.randrange(len(out))
        high = min(len(out), low + random.choice((8, 64, 512)))
    for _ in range(random.choice((1, 2, 8, 64, 256))):
        out[random.randrange(low, high)] ^= 1 << random.randrange(8)
    return bytes(out)


def noise(random: Random, data: bytes, other: bytes) -> bytes:
    """A stretch of random bytes in the place of as many."""
    size = min(len(data), random.choice((1, 4, 32, 256, 4096)))
    at = random.randrange(len(data) - size + 1)
    return data[:at] + random.randbytes(size) + data[at + size :]


def truncated(random: Random, data: bytes, other: bytes) -> bytes:
    """Its beginning, or its end."""
    at = random.randrange(1, len(data) + 1)
    if random.random() < 0.2:
        return data[at:]
    # Often only the end is missing.
    return data[: len(data) - min(at, 200)] if random.random() < 0.3 else data[:at]


def moved_stretch(random: Random, data: bytes, other: bytes) -> bytes:
    """A stretch is cut out, doubled, or stands elsewhere."""
    begin, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    end = min(end, begin + random.choice((1, 16, 256, 4096, 65536)))
    stretch, at = data[begin:end], random.randrange(len(data) + 1)
    match random.randrange(3):
        case 0:
            return data[:begin] + data[end:]
        case 1:
            return data[:end] + stretch * random.choice((1, 1, 1, 3, 20)) + data[end:]
        case _:
            return data[:at] + stretch + data[at:]


def swapped_tokens(random: Random, data: bytes, other: bytes) -> bytes:
    """A word of the syntax becomes another, or two change places."""
    words = list(re.finditer(rb"/?[A-Za-z]{2,}|<<|>>|[\[\]()]", data[: 1 << 18]))
    if len(words) < 2:
        return data
    for _ in range(random.choice((1, 1, 2, 5))):
        first = random.choice(words)
        by = random.choice(words)[0] if random.random() < 0.5 else random.choice(TOKENS)
        # The places that follow stay right only when the length stays: shorter words are filled up.
        by = by[: len(first[0])].ljust(len(first[0]))
        data = data[: first.start()] + by + data[first.end() :]
    return data


def inserted_token(random: Random, data: bytes, other: bytes) -> bytes:
    """Words of the syntax, or very many of one, where none was."""
    at = random.randrange(len(data) + 1)
    token = random.choice(TOKENS)
    return data[:at] + (b" " + token) * random.choice((1, 1, 1, 2, 100, 20_000)) + data[at:]


def extreme_number(random: Random, data: bytes, other: bytes) -> bytes:
    """A number anywhere, those of the cross-references among them, at or beyond what can be counted."""
    numbers = list(NUMBER.finditer(data[: 1 << 18]))
    if not numbers:
        return data
    for _ in range(random.choice((1, 1, 2, 4))):
        # From the back, so that the places of the ones before stay right.
        place = random.choice(numbers)
        data = data[: place.start()] + random.choice(EXTREMES) + data[place.end() :]
        numbers = [each for each in numbers if each.end() <= place.start()] or [place]
        if numbers == [place]:
            break
    return data


def broken_references(random: Random, data: bytes, other: bytes) -> bytes:
    """`startxref`, the table or the trailer says something else."""
    match random.randrange(6):
        case 0:
            return re.sub(rb"startxref\s+\d+", b"startxref\n" + random.choice(EXTREMES), data)
        case 1:
            return re.sub(rb"startxref\s+\d+", b"startxref\n%d" % random.randrange(len(data) + 1000), data)
        case 2:
            row = random.choice((b"0000000000 00000 n", b"9999999999 65535 n", b"%010d 00000 n" % (len(data) // 2)))
            rows = list(re.finditer(rb"\d{10} \d{5} [nf]", data))
            for place in random.sample(rows, min(len(rows), random.choice((1, 3, 50)))):
                data = data[: place.start()] + row + data[place.end() :]
            return data
        case 3:
            return data.replace(b"trailer", random.choice((b"tra1ler", b"", b"trailer << /Prev 0 >> trailer")))
        case 4:
            # A table that is its own predecessor.
            found = re.findall(rb"startxref\s+(\d+)", data)
            place = found[-1] if found else b"0"
            return re.sub(rb"trailer\s*<<", b"trailer << /Prev %b /XRefStm %b " % (place, place), data)
        case _:
            return re.sub(rb"/(Size|Root|W|Index|Prev)\b", rb"/\1x", data, count=random.choice((1, 2, 100)))


def spliced(random: Random, data: bytes, other: bytes) -> bytes:
    """The beginning of this one and the end of another, or the other one as a later revision of it."""
    if random.random() < 0.3:
        return data + other
    return data[: random.randrange(1, len(data) + 1)] + other[random.randrange(len(other)) :]


FILE_FAULTS: tuple[FileFault, ...] = (
    flipped_bits,
    noise,
    truncated,
    moved_stretch,
    swapped_tokens,
    inserted_token,
    extreme_number,
    broken_references,
    spliced,
)
