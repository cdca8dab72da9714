"""Form fields, annotations and links of a page: what PDFium's text page leaves out."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

from ndfd.native._py.pdfium import byte_text, raw, wide_text
from ndfd.native._py.pdftext_values import ANNOTATION, FIELD, Box, Frame, Link, single_box

ANNOTATIONS_MAX = 20_000
LINKS_MAX = 20_000
OPTIONS_MAX = 1_000

#: FPDF_ANNOT_FLAG_HIDDEN | FPDF_ANNOT_FLAG_NOVIEW: not shown on a screen.
NOT_SHOWN = (1 << 1) | (1 << 5)

FIELD_KINDS = {
    1: "button",
    2: "checkbox",
    3: "radio",
    4: "choice",
    5: "choice",
    6: "text",
    7: "signature",
}

#: Subtypes whose Contents are somebody's words (ISO 32000-1, table 169). A pop-up repeats its parent's; a link's is a
#: description of the link.
COMMENT_KINDS = {
    1: "Text",
    3: "FreeText",
    4: "Line",
    5: "Square",
    6: "Circle",
    7: "Polygon",
    8: "PolyLine",
    9: "Highlight",
    10: "Underline",
    11: "Squiggly",
    12: "StrikeOut",
    13: "Stamp",
    14: "Caret",
    15: "Ink",
    17: "FileAttachment",
    28: "Redact",
}


class Note(NamedTuple):
    """A field's value or an annotation's text, before its characters are laid out."""

    kind: str
    name: str
    text: str
    box: Box
    #: FIELD or ANNOTATION when its characters belong on the page, 0 when it is a comment.
    flag: int
    #: Points; 0 when the annotation does not say.
    size: float


def read_notes(page: object, form: object, frame: Frame) -> list[Note]:
    notes = []
    for i in range(min(raw.FPDFPage_GetAnnotCount(page), ANNOTATIONS_MAX)):
        annotation = raw.FPDFPage_GetAnnot(page, i)
        if not annotation:
            continue
        note = _read_note(annotation, form, frame)
        raw.FPDFPage_CloseAnnot(annotation)
        if note is not None:
            notes.append(note)
    return notes


def _read_note(annotation: object, form: object, frame: Frame) -> Note | None:
    subtype = raw.FPDFAnnot_GetSubtype(annotation)
    widget = subtype == raw.FPDF_ANNOT_WIDGET
    if (widget and not form) or (not widget and subtype not in COMMENT_KINDS):
        return None
    if raw.FPDFAnnot_GetFlags(annotation) & NOT_SHOWN:
        return None
    rect = raw.FS_RECTF()
    if not raw.FPDFAnnot_GetRect(annotation, ctypes.byref(rect)):
        return None
    box = single_box(frame.box(rect.left, rect.top, rect.right, rect.bottom))
    if widget:
        return _read_field(annotation, form, box)
    text = wide_text(raw.FPDFAnnot_GetStringValue, annotation, b"Contents")
    if not text:
        return None
    kind = COMMENT_KINDS[subtype]
    return Note(kind, "", text, box, ANNOTATION if kind == "FreeText" else 0, 0.0)


def _read_field(annotation: object, form: object, box: Box) -> Note | None:
    kind = FIELD_KINDS.get(raw.FPDFAnnot_GetFormFieldType(form, annotation))
    if kind is None:
        return None
    name = wide_text(raw.FPDFAnnot_GetFormFieldName, form, annotation)
    if kind in ("checkbox", "radio"):
        text = "[x]" if raw.FPDFAnnot_IsChecked(form, annotation) else "[ ]"
    elif kind == "choice":
        text = _chosen(annotation, form)
    elif kind == "text":
        text = wide_text(raw.FPDFAnnot_GetFormFieldValue, form, annotation)
    else:
        text = ""
    size = ctypes.c_float(0)
    if text:
        raw.FPDFAnnot_GetFontSize(form, annotation, ctypes.byref(size))
    return Note(kind, name, text, box, FIELD, size.value)


def _chosen(annotation: object, form: object) -> str:
    """The labels of the options that are selected, one a line; else the value (an edited combo box)."""
    labels = [
        wide_text(raw.FPDFAnnot_GetOptionLabel, form, annotation, i)
        for i in range(min(raw.FPDFAnnot_GetOptionCount(form, annotation), OPTIONS_MAX))
        if raw.FPDFAnnot_IsOptionSelected(form, annotation, i)
    ]
    return "\n".join(labels) or wide_text(raw.FPDFAnnot_GetFormFieldValue, form, annotation)


def read_links(document: object, page: object, frame: Frame) -> list[Link]:
    links: list[Link] = []
    position, link = ctypes.c_int(0), raw.FPDF_LINK()
    rect = raw.FS_RECTF()
    while len(links) < LINKS_MAX and raw.FPDFLink_Enumerate(page, ctypes.byref(position), ctypes.byref(link)):
        uri, target = _destination(document, link)
        if (uri is None and target is None) or not raw.FPDFLink_GetAnnotRect(link, ctypes.byref(rect)):
            continue
        links.append(Link(single_box(frame.box(rect.left, rect.top, rect.right, rect.bottom)), uri, target))
    return links


def _destination(document: object, link: object) -> tuple[str | None, int | None]:
    action = raw.FPDFLink_GetAction(link)
    if action and raw.FPDFAction_GetType(action) == raw.PDFACTION_URI:
        return uri_of(document, action), None
    return None, page_of(document, raw.FPDFLink_GetDest(document, link))


def uri_of(document: object, action: object) -> str | None:
    needed = raw.FPDFAction_GetURIPath(document, action, None, 0)
    if needed <= 1:
        return None
    buffer = ctypes.create_string_buffer(needed)
    raw.FPDFAction_GetURIPath(document, action, buffer, needed)
    return byte_text(buffer.value) or None


def page_of(document: object, destination: object) -> int | None:
    if not destination:
        return None
    index = raw.FPDFDest_GetDestPageIndex(document, destination)
    return index if index >= 0 else None
