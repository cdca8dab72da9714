"""Faults put into the objects of a document: what is written around them is right, so that a reader gets to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from random import Random

from tests.stress.file_faults import EXTREMES, NUMBER
from tests.stress.pdf_objects import Object, Pdf

_REFERENCE = re.compile(rb"(\d+)\s+\d+\s+R\b")
_NAME = re.compile(rb"/[^\s/<>\[\](){}%]+")
_STRING = re.compile(rb"\((?:[^()\\]|\\.)*\)|<[0-9A-Fa-f\s]*>(?!>)")

#: Changes the document; False when it has nothing of the kind.
ObjectFault = Callable[[Random, Pdf, Pdf], bool]


def extreme_numbers(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """Numbers of a dictionary at or beyond what can be counted."""
    number, item = _any(random, pdf, NUMBER)
    if item is None:
        return False
    head = item.head
    for _ in range(random.choice((1, 1, 2, 6))):
        places = list(NUMBER.finditer(head))
        place = random.choice(places)
        head = head[: place.start()] + random.choice(EXTREMES) + head[place.end() :]
        if not NUMBER.search(head):
            break
    pdf.objects[number] = replace(item, head=head)
    return True


def other_names(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """A name becomes another of the document's names: a key another key, a type another type."""
    number, item = _any(random, pdf, _NAME)
    if item is None:
        return False
    head = item.head
    for _ in range(random.choice((1, 1, 2, 4))):
        place = random.choice(list(_NAME.finditer(head)))
        _, source = _any(random, pdf, _NAME)
        assert source is not None
        head = head[: place.start()] + random.choice(_NAME.findall(source.head)) + head[place.end() :]
    pdf.objects[number] = replace(item, head=head)
    return True


def redirected_references(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """A reference names another object: so trees, forms, outlines, fonts and structures come to hold themselves."""
    number, item = _any(random, pdf, _REFERENCE)
    if item is None:
        return False
    head = item.head
    for _ in range(random.choice((1, 1, 2, 8))):
        place = random.choice(list(_REFERENCE.finditer(head)))
        target = random.choice([*pdf.objects, number, number, pdf.root, pdf.free_number() + 7])
        head = head[: place.start()] + b"%d 0 R" % target + head[place.end() :]
    pdf.objects[number] = replace(item, head=head)
    return True


def moved_objects(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """Objects are dropped, stand under each other's numbers, or come several times."""
    numbers = list(pdf.objects)
    first, second = random.choice(numbers), random.choice(numbers)
    match random.randrange(4):
        case 0:
            for number in random.sample(numbers, min(len(numbers), random.choice((1, 1, 3)))):
                del pdf.objects[number]
            return bool(pdf.objects)
        case 1:
            pdf.objects[first], pdf.objects[second] = pdf.objects[second], pdf.objects[first]
        case 2:
            pdf.objects[first] = pdf.objects[second]
        case _:
            # The table says of one that it stands where another does, or in its middle.
            pdf.offsets[first] = random.randrange(1 << random.choice((8, 12, 16, 33)))
    return True


def other_kinds(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """A value is of another kind than is expected: a string for an array, a dictionary for a number."""
    number, item = _any(random, pdf, _NAME)
    if item is None:
        return False
    place = random.choice(list(_NAME.finditer(item.head)))
    following = re.match(
        rb"\s*(?:\[[^\[\]]*\]|\((?:[^()\\]|\\.)*\)|<[0-9A-Fa-f\s]*>(?!>)|/[^\s/<>\[\]()]+|\d+\s+\d+\s+R|[-\w.]+)",
        item.head[place.end() :],
    )
    if following is None:
        return False
    kinds = (
        b" null", b" true", b" (text)", b" <feff>", b" []", b" [null]", b" << >>", b" /Name", b" -1", b" 1.5",
        b" [" * 200 + b"]" * 200, b" [" + b"0 " * 5000 + b"]", b" << /A << /B [ << /C 1 0 R >> ] >> >>",
        b" %d 0 R" % number, b" " + random.choice(EXTREMES),
    )  # fmt: skip
    end = place.end() + following.end()
    pdf.objects[number] = replace(item, head=item.head[: place.end()] + random.choice(kinds) + item.head[end:])
    return True


def odd_strings(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """Strings without an end, of control characters, of half a character, very long."""
    number, item = _any(random, pdf, _STRING)
    if item is None:
        return False
    place = random.choice(list(_STRING.finditer(item.head)))
    strings = (
        b"(" * 500, b"()", b"(\xfe\xff\xd8\x00)", b"(\xfe\xff\xdc\x00\xd8)", b"(\xef\xbb\xbf\xff\xfe)", b"<fe", b"<>",
        b"(" + b"\x00\x1b[31m\x07\r\n" * 20 + b")", b"(" + b"A" * 200_000 + b")", b"<" + b"feff202e" * 1000 + b">",
        b"(javascript:alert\\(1\\))", b"(\xfe\xff" + b"\xff\xff\xff\xfe\x00\x00" * 50 + b")", b"(\\777\\)",
    )  # fmt: skip
    head = item.head[: place.start()] + random.choice(strings) + item.head[place.end() :]
    pdf.objects[number] = replace(item, head=head)
    return True


def page_tree_faults(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """The tree of pages holds itself, lies about its size, is deep, or has pages that are none."""
    nodes = _matching(pdf, rb"/Kids\s*\[")
    if not nodes:
        return False
    number = random.choice(nodes)
    item = pdf.objects[number]
    match random.randrange(5):
        case 0:
            kids = b"/Kids [%d 0 R %d 0 R " % (number, pdf.root)
            head = re.sub(rb"/Kids\s*\[", lambda _: kids, item.head)
        case 1:
            count = random.choice((*EXTREMES, b"100000", b"50000000"))
            head = re.sub(rb"/Count\s+-?\d+", lambda _: b"/Count " + count, item.head)
        case 2:
            inner = pdf.add(item)
            for _ in range(random.choice((5, 60, 600, 3000))):
                inner = pdf.add(Object(b"<< /Type /Pages /Count 3 /Kids [%d 0 R] >>" % inner))
            head = re.sub(rb"/Kids\s*\[", lambda _: b"/Kids [%d 0 R " % inner, item.head)
        case 3:
            kids = re.findall(rb"\d+\s+\d+\s+R", item.head) or [b"%d 0 R" % number]
            many = b" ".join(random.choice(kids) for _ in range(random.choice((10, 300, 2000))))
            head = re.sub(rb"/Kids\s*\[[^\]]*\]", lambda _: b"/Kids [" + many + b"]", item.head)
        case _:
            odd = random.choice((b"null", b"[1 2 3]", b"(page)", b"%d 0 R" % pdf.free_number(), b"<< /Type /Page >>"))
            head = re.sub(rb"/Kids\s*\[", lambda _: b"/Kids [" + odd + b" ", item.head)
    pdf.objects[number] = replace(item, head=head)
    return True


def page_boxes(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """Huge, empty, upside-down or malformed boxes, odd rotations and units."""
    pages = _matching(pdf, rb"/Type\s*/Pages?\b")
    if not pages:
        return False
    number = random.choice(pages)
    side = random.choice((b"1e9", b"3e38", b"1" + b"0" * 300, b"0", b"-612", b"0.000001", b"2147483648", b"nan"))
    boxes = (
        b"/MediaBox [0 0 %b %b]" % (side, side),
        b"/MediaBox [%b %b 0 0]" % (side, side),
        b"/MediaBox [-%b -%b %b %b]" % (side, side, side, side),
        b"/MediaBox [0 0 612]",
        b"/MediaBox [[0 0] 612 792]",
        b"/CropBox [%b 0 612 792]" % side,
        b"/CropBox [600 700 601 701]",
        b"/Rotate %b" % random.choice((b"45", b"-90", b"89", b"360000090", b"2147483647")),
        b"/UserUnit %b" % random.choice((b"0", b"-1", b"1e9", b"75000")),
        b"/MediaBox %d 0 R" % number,
    )
    item = pdf.objects[number]
    changed = random.sample(boxes, random.choice((1, 2)))
    head = re.sub(rb"/(MediaBox|CropBox|Rotate|UserUnit)\b", rb"/X\1", item.head)
    pdf.objects[number] = replace(item, head=head.replace(b"<<", b"<< " + b" ".join(changed) + b" ", 1))
    return True


def outline_loops(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """An outline whose entries are each other's next, first and parent, or which is deep or long."""
    first = pdf.free_number()
    count = random.choice((1, 2, 50, 3000))
    for position in range(count):
        number = first + position
        links = {
            b"Next": random.choice((number, first, number + 1, number + 1, number + 1)),
            b"First": random.choice((number, first, number + 1)),
            b"Parent": random.choice((number, first)),
        }
        kept = random.sample(sorted(links.items()), random.choice((1, 1, 2, 3)))
        entries = b" ".join(b"/%b %d 0 R" % link for link in kept)
        destination = random.choice((b"/Dest [%d 0 R /Fit]" % pdf.root, b"/Dest (nowhere)", b"/A %d 0 R" % number, b""))
        pdf.objects[number] = Object(b"<< /Title (Entry %d) %b %b >>" % (position, entries, destination))
    outline = pdf.add(Object(b"<< /Type /Outlines /First %d 0 R /Last %d 0 R >>" % (first, first)))
    return _put_into(pdf, pdf.root, b"/Outlines %d 0 R" % outline)


def structure_and_annotation_loops(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """Tags, form fields, annotations and trees of names that are their own kids."""
    kinds: tuple[tuple[bytes, bytes], ...] = (
        (b"StructTreeRoot", b"<< /Type /StructTreeRoot /K %d 0 R /ParentTree %d 0 R >>"),
        (b"AcroForm", b"<< /Fields [%d 0 R %d 0 R] /NeedAppearances true >>"),
        (b"PageLabels", b"<< /Kids [%d 0 R %d 0 R] /Nums [0 << /S /D /St 2147483647 >>] >>"),
        (b"Names", b"<< /Dests << /Kids [%d 0 R %d 0 R] >> >>"),
        (b"Dests", b"<< /A %d 0 R /B %d 0 R >>"),
    )
    key, pattern = random.choice(kinds)
    node = pdf.free_number()
    depth = random.choice((1, 3, 200, 2000))
    body = (
        b"<< /S /P /Type /StructElem /FT /Tx /T (f) /V (v) /K [%d 0 R %d 0 R 0] /Kids [%d 0 R %d 0 R] /P %d 0 R"
        b" /Parent %d 0 R /Limits [(a) (b)] /Subtype /Widget /Rect [0 0 1e9 -1] >>"
    )
    for number in range(node, node + depth):
        following = random.choice((number, node, number + 1, number + 1, number + 1))
        pdf.objects[number] = Object(body % (following, node, following, following, node, node))
    pages = _matching(pdf, rb"/Type\s*/Page\b")
    if pages and random.random() < 0.5:
        _put_into(pdf, random.choice(pages), b"/Annots [%d 0 R %d 0 R]" % (node, node))
    return _put_into(pdf, pdf.root, b"/%b %d 0 R" % (key, pdf.add(Object(pattern % (node, node)))))


def deep_values(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """Arrays or dictionaries within each other, in any object."""
    depth = random.choice((20, 64, 513, 5000, 100_000))
    deep = b"[" * depth + b"]" * depth if random.random() < 0.5 else b"<< /A " * depth + b"1" + b" >>" * depth
    number = random.choice([number for number, item in pdf.objects.items() if b"<<" in item.head] or [pdf.root])
    key = random.choice((b"Deep", b"Kids", b"Contents", b"Resources", b"Annots", b"Title", b"Widths", b"ColorSpace"))
    return _put_into(pdf, number, b"/%b %b" % (key, deep))


def encryption(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """The file says that it is encrypted, and is not, or not so."""
    entries = {
        b"Filter": random.choice((b"/Standard", b"/Standard", b"/Adobe.PubSec")),
        b"V": random.choice((b"1", b"2", b"4", b"5", b"-1", b"99")),
        b"R": random.choice((b"2", b"3", b"4", b"5", b"6", b"0")),
        b"Length": random.choice((b"40", b"128", b"256", b"0", b"2147483647", b"-8")),
        b"O": b"<%b>" % (b"41" * random.choice((0, 31, 32, 48, 127))),
        b"U": b"<%b>" % (b"42" * random.choice((0, 31, 32, 48, 127))),
        b"OE": b"<%b>" % (b"43" * random.choice((0, 32))),
        b"UE": b"<%b>" % (b"44" * random.choice((0, 32))),
        b"P": random.choice((b"-4", b"4294967295")),
        b"CF": b"<< /StdCF << /CFM %b /Length 32 >> >>" % random.choice((b"/AESV2", b"/AESV3", b"/V2", b"/None")),
        b"StmF": b"/StdCF",
        b"StrF": b"/StdCF",
    }
    kept = random.sample(sorted(entries.items()), random.randint(5, len(entries)))
    number = pdf.add(Object(b"<< %b >>" % b" ".join(b"/%b %b" % entry for entry in kept)))
    pdf.trailer += b" /Encrypt %d 0 R /ID [<00> <00>]" % number
    return True


def grafted(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """Objects of another document in the place of this one's."""
    mine, theirs = list(pdf.objects), list(other.objects)
    for _ in range(random.choice((1, 1, 3, 10))):
        pdf.objects[random.choice(mine)] = other.objects[random.choice(theirs)]
    return True


def second_revision(random: Random, pdf: Pdf, other: Pdf) -> bool:
    """Behind the end, an update whose table has another idea of the objects, or is its own predecessor."""
    size = pdf.free_number()
    number = random.choice(list(pdf.objects))
    entry = b"%010d 00000 n \n" % random.randrange(1 << 16)
    previous = random.choice((b"0", b"17", b"99999999999", b"%d" % random.randrange(1 << 14)))
    pdf.tail = b"xref\n%d 1\n%btrailer\n<< /Size %d /Root %d 0 R /Prev %b >>\nstartxref\n%d\n%%%%EOF\n" % (
        number,
        entry,
        random.choice((size, 1, 2**31 - 1)),
        random.choice((pdf.root, number)),
        previous,
        len(pdf.written()),
    )
    return True


def _any(random: Random, pdf: Pdf, pattern: re.Pattern[bytes]) -> tuple[int, Object | None]:
    """An object whose head holds what the pattern finds."""
    numbers = [number for number, item in pdf.objects.items() if pattern.search(item.head)]
    if not numbers:
        return 0, None
    number = random.choice(numbers)
    return number, pdf.objects[number]


def _matching(pdf: Pdf, pattern: bytes) -> list[int]:
    return [number for number, item in pdf.objects.items() if re.search(pattern, item.head)]


def _put_into(pdf: Pdf, number: int, entry: bytes) -> bool:
    """As the dictionary's first entry: of two with one key PDFium takes the last, so that one is renamed."""
    item = pdf.objects.get(number)
    if item is None or b"<<" not in item.head:
        return False
    key = entry.split(b" ", 1)[0]
    head = re.sub(re.escape(key) + rb"\b", key + b"x", item.head)
    pdf.objects[number] = replace(item, head=head.replace(b"<<", b"<< " + entry + b" ", 1))
    return True


OBJECT_FAULTS: tuple[ObjectFault, ...] = (
    extreme_numbers,
    extreme_numbers,
    other_names,
    redirected_references,
    redirected_references,
    moved_objects,
    other_kinds,
    other_kinds,
    odd_strings,
    page_tree_faults,
    page_boxes,
    outline_loops,
    structure_and_annotation_loops,
    deep_values,
    encryption,
    grafted,
    second_revision,
)
