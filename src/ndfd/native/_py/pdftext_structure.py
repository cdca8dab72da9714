"""The structure tree of a page, and what a document says of itself: outline, metadata, page labels."""

from __future__ import annotations

import ctypes

from ndfd.native._py.pdfium import address, raw, wide_text
from ndfd.native._py.pdftext_annotations import page_of
from ndfd.native._py.pdftext_values import Outline, Tag

ELEMENTS_MAX = 20_000
KIDS_MAX = 200_000
DEPTH_MAX = 64
OUTLINE_MAX = 10_000
#: A cell that spans more is a mistake or an attack.
SPAN_MAX = 1_000

METADATA_KEYS = ("Title", "Author", "Subject", "Keywords", "Creator", "Producer", "CreationDate", "ModDate", "Trapped")


class _TreeReader:
    """Walks the tree depth first; its budget holds for the whole page."""

    def __init__(self) -> None:
        self.tags: list[Tag] = []
        self._kids_left = KIDS_MAX

    def element(self, element: object, depth: int) -> None:
        if len(self.tags) >= ELEMENTS_MAX or depth >= DEPTH_MAX:
            return
        role = wide_text(raw.FPDF_StructElement_GetType, element)
        alt = wide_text(raw.FPDF_StructElement_GetAltText, element)
        alt = alt or wide_text(raw.FPDF_StructElement_GetActualText, element)
        spans = _spans(element) if role in ("TD", "TH") else (1, 1)
        kids = min(max(raw.FPDF_StructElement_CountChildren(element), 0), self._kids_left)
        self._kids_left -= kids
        mcids = (raw.FPDF_StructElement_GetChildMarkedContentID(element, i) for i in range(kids))
        self.tags.append(Tag(role, depth, tuple(mcid for mcid in mcids if mcid >= 0), alt, *spans))
        for i in range(kids):
            kid = raw.FPDF_StructElement_GetChildAtIndex(element, i)
            if kid:
                self.element(kid, depth + 1)


def read_tags(page: object) -> list[Tag]:
    tree = raw.FPDF_StructTree_GetForPage(page)
    if not tree:
        return []
    reader = _TreeReader()
    for i in range(max(raw.FPDF_StructTree_CountChildren(tree), 0)):
        element = raw.FPDF_StructTree_GetChildAtIndex(tree, i)
        if element:
            reader.element(element, 0)
    raw.FPDF_StructTree_Close(tree)
    return reader.tags


def _spans(element: object) -> tuple[int, int]:
    rows = columns = 1
    for i in range(max(raw.FPDF_StructElement_GetAttributeCount(element), 0)):
        attribute = raw.FPDF_StructElement_GetAttributeAtIndex(element, i)
        if attribute:
            rows = _number(attribute, b"RowSpan", rows)
            columns = _number(attribute, b"ColSpan", columns)
    return rows, columns


def _number(attribute: object, name: bytes, otherwise: int) -> int:
    value = raw.FPDF_StructElement_Attr_GetValue(attribute, name)
    number = ctypes.c_float(0)
    if not value or not raw.FPDF_StructElement_Attr_GetNumberValue(value, ctypes.byref(number)):
        return otherwise
    return int(number.value) if 1 <= number.value <= SPAN_MAX else otherwise


def read_label(document: object, index: int) -> str | None:
    return wide_text(raw.FPDF_GetPageLabel, document, index) or None


def read_metadata(document: object) -> dict[str, str]:
    found = {key: wide_text(raw.FPDF_GetMetaText, document, key.encode()) for key in METADATA_KEYS}
    found["Language"] = wide_text(raw.FPDFCatalog_GetLanguage, document)
    version = ctypes.c_int(0)
    if raw.FPDF_GetFileVersion(document, ctypes.byref(version)) and version.value > 0:
        found["PDFVersion"] = f"{version.value // 10}.{version.value % 10}"
    return {key: value for key, value in found.items() if value}


def read_outline(document: object) -> list[Outline]:
    """Depth first. A damaged outline may loop: an entry met twice ends its branch."""
    entries: list[Outline] = []
    seen: set[int] = set()
    path = [raw.FPDFBookmark_GetFirstChild(document, None)]
    while path and len(entries) < OUTLINE_MAX:
        bookmark = path[-1]
        if not bookmark or address(bookmark) in seen:
            path.pop()
            continue
        seen.add(address(bookmark))
        title = wide_text(raw.FPDFBookmark_GetTitle, bookmark)
        entries.append(Outline(title, len(path), _bookmark_page(document, bookmark)))
        path[-1] = raw.FPDFBookmark_GetNextSibling(document, bookmark)
        if len(path) < DEPTH_MAX:
            path.append(raw.FPDFBookmark_GetFirstChild(document, bookmark))
    return entries


def _bookmark_page(document: object, bookmark: object) -> int | None:
    # FPDFBookmark_GetDest looks into a go-to action as well.
    return page_of(document, raw.FPDFBookmark_GetDest(document, bookmark))
