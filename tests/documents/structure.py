"""A tagged document (ISO 32000-1, section 14.7): its structure elements say what each piece of text is."""

from __future__ import annotations

from tests.documents.writer import A4, HELVETICA, Writer, array, reference, show, string

#: Every element with text of its own, depth first: role, text.
TAGGED_TEXTS = (
    ("H1", "A tagged heading"),
    ("P", "A paragraph under it."),
    ("TH", "Fruit"),
    ("TH", "Kilos"),
    ("TD", "Apples"),
    ("TD", "12"),
)
FIGURE_ALT = "A grey square"


def tagged() -> bytes:
    """One page: H1, P, a Table of two rows (TH TH / TD TD), a Figure with alternate text, and an artifact "Footer"."""
    writer = Writer()
    page, root, parents = writer.reserve(), writer.reserve(), writer.reserve()
    font, contents = writer.add(HELVETICA), writer.stream(_content())
    elements: list[int] = []

    def element(role: str, parent: int, kids: str, entries: str = "") -> int:
        number = writer.reserve()
        body = f"<< /Type /StructElem /S /{role} /P {reference(parent)} /Pg {reference(page)} /K {kids} {entries} >>"
        return writer.put(number, body)

    body, table, rows = (
        writer.reserve(),
        writer.reserve(),
        (writer.reserve(), writer.reserve()),
    )
    owners = (body, body, rows[0], rows[0], rows[1], rows[1])
    elements = [
        element(role, owner, str(mcid))
        for mcid, ((role, _), owner) in enumerate(zip(TAGGED_TEXTS, owners, strict=True))
    ]
    figure = element("Figure", body, str(len(TAGGED_TEXTS)), f"/Alt {string(FIGURE_ALT)}")
    refs = [reference(number) for number in elements]
    for row, cells in zip(rows, (refs[2:4], refs[4:6]), strict=True):
        writer.put(
            row,
            f"<< /Type /StructElem /S /TR /P {reference(table)} /K {array(cells)} >>",
        )
    writer.put(
        table,
        f"<< /Type /StructElem /S /Table /P {reference(body)} /K {array([reference(row) for row in rows])} >>",
    )
    kids = array([*refs[:2], reference(table), reference(figure)])
    writer.put(body, f"<< /Type /StructElem /S /Document /P {reference(root)} /K {kids} >>")
    writer.put(
        root,
        f"<< /Type /StructTreeRoot /K {reference(body)} /ParentTree {reference(parents)} >>",
    )
    writer.put(parents, f"<< /Nums [0 {array([*refs, reference(figure)])}] >>")
    return _finish(
        writer,
        page,
        root,
        f"/Contents {reference(contents)} /Resources << /Font << /F1 {reference(font)} >> >>",
    )


def _content() -> str:
    """Each text in a marked-content sequence of its own, numbered as in `TAGGED_TEXTS`."""
    places = (
        (72, 770, 20),
        (72, 730, 12),
        (72, 690, 12),
        (200, 690, 12),
        (72, 672, 12),
        (200, 672, 12),
    )
    shown = [
        f"/{role} << /MCID {mcid} >> BDC BT /F1 {size} Tf {x} {y} Td {show(text)} Tj ET EMC"
        for mcid, ((role, text), (x, y, size)) in enumerate(zip(TAGGED_TEXTS, places, strict=True))
    ]
    figure = f"/Figure << /MCID {len(TAGGED_TEXTS)} >> BDC 0.5 g 72 500 100 100 re f EMC"
    footer = f"/Artifact << /Type /Pagination >> BDC BT /F1 9 Tf 72 40 Td {show('Footer')} Tj ET EMC"
    return "\n".join([*shown, figure, footer])


def _finish(writer: Writer, page: int, root: int, entries: str) -> bytes:
    tree = writer.reserve()
    writer.put(
        page,
        f"<< /Type /Page /Parent {reference(tree)} /MediaBox {array(A4)} /StructParents 0 {entries} >>",
    )
    writer.put(tree, f"<< /Type /Pages /Count 1 /Kids [{reference(page)}] >>")
    marks = f"/MarkInfo << /Marked true >> /StructTreeRoot {reference(root)} /Lang (en-GB)"
    return writer.finish(writer.add(f"<< /Type /Catalog /Pages {reference(tree)} {marks} >>"))
