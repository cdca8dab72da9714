"""Small files that cost a reader much: time, memory or depth. Each says how much, measured on a 3 GHz core.

A test that opens one of the expensive ones in its own process takes the cost itself: open them in a child.
"""

from __future__ import annotations

import functools
import zlib

from tests.documents.writer import (
    HELVETICA,
    Page,
    Writer,
    array,
    document,
    lines_of_text,
    reference,
)

_FORM = "/Type /XObject /Subtype /Form /BBox [0 0 595 842]"


def slow(leaves: int = 500) -> bytes:
    """One page that shows a word after PDFium has run about `leaves` content streams of half a million operators each:
    about 12 ms a leaf, hence 6 s for the default; memory stays as it is. A few kB."""
    writer = Writer()
    leaf = writer.stream(b"q Q " * 250_000, _FORM, deflate=True)
    middle = writer.stream(
        "/X Do " * 100,
        f"{_FORM} /Resources << /XObject << /X {reference(leaf)} >> >>",
        deflate=True,
    )
    top = writer.stream(
        "/X Do " * max(1, leaves // 100),
        f"{_FORM} /Resources << /XObject << /X {reference(middle)} >> >>",
        deflate=True,
    )
    content = "/X Do " + lines_of_text(["After all that"])
    return document([Page(content, resources=f"/XObject << /X {reference(top)} >>")], writer=writer)


def endless() -> bytes:
    """`slow` for more than a day: for deadlines."""
    return slow(leaves=10_000_000)


def slow_second_page(leaves: int = 500) -> bytes:
    """Three pages of which the first and the third are ordinary and the second takes as long as `slow`."""
    writer = Writer()
    leaf = writer.stream(b"q Q " * 250_000, _FORM, deflate=True)
    form = writer.stream(
        "/X Do " * leaves,
        f"{_FORM} /Resources << /XObject << /X {reference(leaf)} >> >>",
        deflate=True,
    )
    quick = [Page(lines_of_text([f"Page {number}"])) for number in (1, 3)]
    second = Page(
        "/X Do " + lines_of_text(["Page 2"]),
        resources=f"/XObject << /X {reference(form)} >>",
    )
    return document([quick[0], second, quick[1]], writer=writer)


@functools.lru_cache(maxsize=4)
def _deflated_spaces(megabytes: int) -> bytes:
    """A zlib stream, itself deflated, of that many MiB of spaces: about 3 kB for 1 GiB."""
    packer, chunk, out = zlib.compressobj(9), b" " * (1 << 20), bytearray()
    for _ in range(megabytes):
        out += packer.compress(chunk)
    return zlib.compress(bytes(out) + packer.flush(), 9)


def memory_bomb(megabytes: int = 1200) -> bytes:
    """One page whose content stream, deflated twice, inflates to `megabytes` MiB of spaces. PDFium holds it about twice
    (2.4 GB for the default, in 2 s) and then shows an empty page. A few kB."""
    writer = Writer()
    contents = writer.stream(_deflated_spaces(megabytes), "/Filter [/FlateDecode /FlateDecode]")
    return document([Page(contents=contents)], writer=writer)


def object_stream_bomb(megabytes: int = 1200) -> bytes:
    """The same, in an object stream that the page's font stands in behind all those spaces: the file must inflate it to
    find the font. Its cross-reference is a stream too (ISO 32000-1, 7.5.7 and 7.5.8)."""
    plain = Writer()
    font = plain.reserve()  # lives in the object stream
    inside = _object_stream(plain, font, megabytes)
    tree, page, contents = (
        plain.reserve(),
        plain.reserve(),
        plain.stream(lines_of_text(["Behind the bomb"])),
    )
    entries = f"/Contents {reference(contents)} /Resources << /Font << /F1 {reference(font)} >> >>"
    plain.put(page, f"<< /Type /Page /Parent {reference(tree)} /MediaBox [0 0 595 842] {entries} >>")
    plain.put(tree, f"<< /Type /Pages /Count 1 /Kids [{reference(page)}] >>")
    catalog = plain.add(f"<< /Type /Catalog /Pages {reference(tree)} >>")
    return plain.finish_with_stream(catalog, compressed={font: (inside, 0)})


def _object_stream(writer: Writer, number: int, megabytes: int) -> int:
    head, tail = f"{number} 0 ".encode(), HELVETICA.encode()
    packer = zlib.compressobj(9)
    out = bytearray(packer.compress(head))
    for _ in range(megabytes):
        out += packer.compress(b" " * (1 << 20))
    out += packer.compress(tail) + packer.flush()
    return writer.stream(
        zlib.compress(bytes(out), 9),
        f"/Type /ObjStm /N 1 /First {len(head)} /Filter [/FlateDecode /FlateDecode]",
    )


def nested_forms(depth: int = 9, fan: int = 10) -> bytes:
    """Forms that show forms, `fan` each, `depth` deep: the last is shown fan**depth times, and PDFium keeps about 500
    bytes for each (1,000 forms and 1 MB at depth 3; memory without end at the default)."""
    writer = Writer()
    form = writer.stream("", _FORM)
    for _ in range(depth):
        form = writer.stream(
            "/X Do " * fan,
            f"{_FORM} /Resources << /XObject << /X {reference(form)} >> >>",
        )
    content = "/X Do " + lines_of_text(["Forms in forms"])
    return document([Page(content, resources=f"/XObject << /X {reference(form)} >>")], writer=writer)


def form_in_itself() -> bytes:
    """A form that shows itself."""
    writer = Writer()
    form = writer.reserve()
    body = writer.stream("/X Do", f"{_FORM} /Resources << /XObject << /X {reference(form)} >> >>")
    writer.put(form, writer.body(body))
    content = "/X Do " + lines_of_text(["A form within itself"])
    return document([Page(content, resources=f"/XObject << /X {reference(form)} >>")], writer=writer)


def deep_arrays(depth: int = 100_000) -> bytes:
    """A page dictionary with arrays `depth` deep: a recursive parser without a limit overruns its stack."""
    return document([Page(lines_of_text(["Deep"]), entries="/Deep " + "[" * depth + "]" * depth)])


def deep_graphics_states(depth: int = 100_000) -> bytes:
    """`depth` saved graphics states before the text, none restored."""
    return document([Page("q " * depth + lines_of_text(["Deep"]))])


def many_characters(count: int = 200_000) -> bytes:
    """One page with `count` characters in lines of 100, all of them on the page."""
    lines = ["x" * 100] * (count // 100)
    content = (
        f"BT /F1 4 Tf {800 / max(1, len(lines)):g} TL 40 820 Td "
        + "".join(f"({line}) Tj T*\n" for line in lines)
        + "ET"
    )
    return document([Page(content)])


def many_paths(count: int = 200_000) -> bytes:
    """One page with `count` short ruled lines and one word."""
    strokes = "\n".join(f"{i % 590} {i // 590} m {i % 590 + 5} {i // 590} l S" for i in range(count))
    return document([Page(strokes + "\n" + lines_of_text(["Among the lines"]))])


def many_pages(count: int = 5_000) -> bytes:
    """`count` small pages."""
    return document([Page(lines_of_text([f"Page {number}"])) for number in range(1, count + 1)])


def looping_kids() -> bytes:
    """A page tree of two nodes that are each other's kids, beside one sound page."""
    writer = Writer()
    tree, first, second = (writer.reserve() for _ in range(3))
    page = writer.add(f"<< /Type /Page /Parent {reference(tree)} /MediaBox [0 0 595 842] >>")
    for number, other in ((first, second), (second, first)):
        writer.put(
            number,
            f"<< /Type /Pages /Parent {reference(tree)} /Count 2 /Kids {array([reference(other)] * 2)} >>",
        )
    writer.put(
        tree,
        f"<< /Type /Pages /Count 5 /Kids {array([reference(page), reference(first), reference(second)])} >>",
    )
    return writer.finish(writer.add(f"<< /Type /Catalog /Pages {reference(tree)} >>"))
