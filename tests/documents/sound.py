"""Documents that any reader opens, each showing one thing that the pipeline must read."""

from __future__ import annotations

from collections.abc import Sequence

from tests.documents.writer import (
    Page,
    Writer,
    add_page_tree,
    array,
    document,
    lines_of_text,
    reference,
    show,
    string,
)


def text_pages(*pages: Sequence[str]) -> bytes:
    """One page for each argument, its lines one under another in 12-point Helvetica from 72, 770 (bottom left)."""
    return document([Page(lines_of_text(lines)) for lines in pages])


def numbered_pages(count: int) -> bytes:
    """`count` pages that say "Page 1", "Page 2", … and a sentence."""
    return text_pages(*([f"Page {number}", "Each page says its number."] for number in range(1, count + 1)))


def two_columns() -> bytes:
    """Two columns of five lines; the left one is read first: "left 1" … "left 5", "right 1" … "right 5"."""
    left, right = ([f"{side} {number} of the column" for number in range(1, 6)] for side in ("left", "right"))
    # Drawn row by row, as some programs do, so that drawing order is not reading order.
    rows = (
        lines_of_text([text], left=x, top=770.0 - 18 * row)
        for row, texts in enumerate(zip(left, right, strict=True))
        for x, text in zip((72.0, 320.0), texts, strict=True)
    )
    return document([Page("\n".join(rows))])


def ruled_table(
    rows: Sequence[Sequence[str]] = (
        ("Fruit", "Kilos"),
        ("Apples", "12"),
        ("Pears", "7"),
    ),
) -> bytes:
    """A table with a line round each cell; its top left corner at 72, 700, cells 120 by 24 points."""
    width, height, left, top = 120, 24, 72, 700
    columns, bottom = len(rows[0]), top - height * len(rows)
    strokes = [
        f"{left} {top - height * i} m {left + width * columns} {top - height * i} l S" for i in range(len(rows) + 1)
    ]
    strokes += [f"{left + width * i} {top} m {left + width * i} {bottom} l S" for i in range(columns + 1)]
    texts = [
        lines_of_text([text], left=left + 6 + width * column, top=top - 16 - height * row, size=10)
        for row, cells in enumerate(rows)
        for column, text in enumerate(cells)
    ]
    return document([Page("\n".join(["0.5 w", *strokes, *texts]))])


def rotated(rotation: int, crop_box: tuple[float, float, float, float] = (100, 200, 500, 600)) -> bytes:
    """A page with /Rotate and /CropBox: "Upright" 20 points inside the crop box's left and top edges before rotation,
    and "Outside" beyond it."""
    left, _, _, top = crop_box
    content = lines_of_text(["Upright"], left=left + 20, top=top - 20) + lines_of_text(["Outside"], left=20, top=800)
    return document([Page(content, entries=f"/Rotate {rotation} /CropBox {array(crop_box)}")])


def with_metadata(title: str = "On reading documents", author: str = "Ada Łovelace") -> bytes:
    """A document information dictionary, with characters that are not Latin-1."""
    writer = Writer()
    info = writer.add(
        f"<< /Title {string(title)} /Author {string(author)} /Producer (hand) /CreationDate (D:20240229120000Z) >>"
    )
    page = Page(lines_of_text([title]))
    return document([page], writer=writer, trailer=f"/Info {reference(info)}")


def with_links() -> bytes:
    """Two pages; on the first a link to https://example.org/a?b=c at 72, 700 and one to the second page at 72, 650."""
    writer = Writer()
    uri = writer.add(
        "<< /Type /Annot /Subtype /Link /Rect [72 696 200 712] /Border [0 0 0] "
        "/A << /S /URI /URI (https://example.org/a?b=c) >> >>"
    )
    internal = writer.add("<< /Type /Annot /Subtype /Link /Rect [72 646 200 662] /Border [0 0 0] /Dest /second >>")
    content = lines_of_text(["An outside link"], top=700) + lines_of_text(["To the second page"], top=650)
    first = Page(content, entries=f"/Annots {array([reference(uri), reference(internal)])}")
    tree, kids = add_page_tree(writer, [first, Page(lines_of_text(["Second page"]))])
    dests = f"/Dests << /second [{reference(kids[1])} /Fit] >>"
    return writer.finish(writer.add(f"<< /Type /Catalog /Pages {reference(tree)} {dests} >>"))


def with_outline() -> bytes:
    """Three pages; bookmarks "One" to page 1, under it "One point one" to 2, "Zwei – 二" to 3, "Nowhere" to none."""
    writer = Writer()
    tree, kids = add_page_tree(writer, [Page(lines_of_text([f"Page {n}"])) for n in (1, 2, 3)])
    root, one, inner, two, nowhere = (writer.reserve() for _ in range(5))

    def item(number: int, title: str, parent: int, entries: str, page: int | None) -> None:
        target = "" if page is None else f"/Dest [{reference(kids[page])} /Fit]"
        writer.put(
            number,
            f"<< /Title {string(title)} /Parent {reference(parent)} {target} {entries} >>",
        )

    item(
        one,
        "One",
        root,
        f"/Next {reference(two)} /First {reference(inner)} /Last {reference(inner)} /Count 1",
        0,
    )
    item(inner, "One point one", one, "", 1)
    item(two, "Zwei – 二", root, f"/Prev {reference(one)} /Next {reference(nowhere)}", 2)
    item(nowhere, "Nowhere", root, f"/Prev {reference(two)}", None)
    writer.put(
        root,
        f"<< /Type /Outlines /First {reference(one)} /Last {reference(nowhere)} /Count 4 >>",
    )
    catalog = f"<< /Type /Catalog /Pages {reference(tree)} /Outlines {reference(root)} >>"
    return writer.finish(writer.add(catalog))


def with_looping_outline() -> bytes:
    """Two bookmarks, each the next of the other: a reader that follows them without counting never ends."""
    writer = Writer()
    root, first, second = (writer.reserve() for _ in range(3))
    for number, other, title in ((first, second, "First"), (second, first, "Second")):
        writer.put(
            number,
            f"<< /Title ({title}) /Parent {reference(root)} /Next {reference(other)} >>",
        )
    writer.put(
        root,
        f"<< /Type /Outlines /First {reference(first)} /Last {reference(second)} /Count 2 >>",
    )
    return document(
        [Page(lines_of_text(["Bookmarks in a ring"]))],
        catalog=f"/Outlines {reference(root)}",
        writer=writer,
    )


def with_page_labels() -> bytes:
    """Five pages labelled i, ii, 1, 2, A-1."""
    labels = "/PageLabels << /Nums [0 << /S /r >> 2 << /S /D >> 4 << /S /D /P (A-) >>] >>"
    return document(
        [Page(lines_of_text([f"Sheet {number}"])) for number in range(1, 6)],
        catalog=labels,
    )


def with_invisible_text(
    text: str = "Words that a scanner's software put under the picture",
) -> bytes:
    """A grey raster over the whole page and, under text render mode 3, the words that it is meant to show."""
    writer = Writer()
    image = writer.stream(
        bytes([200, 120, 120, 200]),
        "/Type /XObject /Subtype /Image /Width 2 /Height 2 /ColorSpace /DeviceGray /BitsPerComponent 8",
    )
    content = f"q 595 0 0 842 0 0 cm /Scan Do Q BT 3 Tr /F1 12 Tf 72 700 Td {show(text)} Tj ET"
    return document(
        [Page(content, resources=f"/XObject << /Scan {reference(image)} >>")],
        writer=writer,
    )


def with_odd_names() -> bytes:
    """Resource and font names with a space, a slash, brackets and a byte that is no ASCII, written as #xx (7.3.5)."""
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /ABCDEF+Odd#20Name#28#2F#29#E9 /Encoding /WinAnsiEncoding >>"
    content = f"BT /F#20#2F1 12 Tf 72 700 Td {show('Names may hold anything')} Tj ET"
    return document([Page(content, fonts={"F#20#2F1": font})])
