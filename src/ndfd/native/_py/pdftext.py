"""The reference implementation of the page-array seam: slow, plain, value for value what ext/pdftext gives.

It keeps a copy of the document's bytes where the compiled one keeps the buffer itself; everything else is the same. The
promises stand in `native/_c/pdftext.pyi`.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Any, Self

from pypdfium2_raw.version import PDFIUM_INFO

from ndfd import errors
from ndfd.native import host_fonts
from ndfd.native._py.pdfium import raw
from ndfd.native._py.pdftext_annotations import read_links, read_notes
from ndfd.native._py.pdftext_characters import CharacterReader, append_notes
from ndfd.native._py.pdftext_fonts import FontTable
from ndfd.native._py.pdftext_hostfonts import HostFonts
from ndfd.native._py.pdftext_objects import read_objects
from ndfd.native._py.pdftext_structure import read_label, read_metadata, read_outline, read_tags
from ndfd.native._py.pdftext_values import (
    ANNOTATION,
    BOLD,
    FIELD,
    GARBAGE,
    GENERATED,
    HYPHEN,
    INVISIBLE,
    ITALIC,
    MONO,
    OBLIQUE,
    RULE_BOX,
    RULE_FILL,
    RULE_HORIZONTAL,
    RULE_VERTICAL,
    SUPERSCRIPT,
    UNMAPPED,
    Font,
    FormText,
    Frame,
    Link,
    Outline,
    PageArrays,
    Tag,
    single,
)

__all__ = [
    "ANNOTATION",
    "BOLD",
    "FIELD",
    "GARBAGE",
    "GENERATED",
    "HYPHEN",
    "INVISIBLE",
    "ITALIC",
    "MONO",
    "OBLIQUE",
    "RULE_BOX",
    "RULE_FILL",
    "RULE_HORIZONTAL",
    "RULE_VERTICAL",
    "SUPERSCRIPT",
    "UNMAPPED",
    "Document",
    "Font",
    "FormText",
    "Link",
    "Outline",
    "PageArrays",
    "Tag",
    "engine_name",
    "hold_fonts",
    "initialise",
]

#: A PDF's header may stand anywhere in the first 1024 bytes (ISO 32000-1, annex H, implementation note 13).
HEADER_WITHIN = 1024

#: PDFium keeps the pointers of its configuration for as long as it runs.
_configuration: list[Any] = []

#: What `hold_fonts` has said, and what PDFium then calls for its fonts.
_held: list[tuple[host_fonts.HeldFonts, HostFonts]] = []


def initialise(font_paths: Sequence[str] = ()) -> None:
    if _configuration:
        return
    config = raw.FPDF_LIBRARY_CONFIG(version=2)
    _configuration.append(config)
    if font_paths:
        # With no list at all PDFium looks in the host's usual font folders; a list takes their place.
        names = [ctypes.create_string_buffer(os.fsencode(path)) for path in font_paths]
        pointers = (ctypes.POINTER(ctypes.c_char) * (len(names) + 1))()
        for i, name in enumerate(names):
            pointers[i] = ctypes.cast(name, ctypes.POINTER(ctypes.c_char))
        config.m_pUserFontPaths = ctypes.cast(pointers, ctypes.POINTER(ctypes.POINTER(ctypes.c_char)))
        _configuration.append((names, pointers))
    raw.FPDF_InitLibraryWithConfig(ctypes.byref(config))


def hold_fonts(folders: Sequence[str], bytes_max: int) -> host_fonts.HeldFonts:
    if not _held:
        initialise(folders)
        engine = HostFonts()
        _held.append((host_fonts.hold(engine, folders, bytes_max), engine))
    return _held[0][0]


def engine_name() -> str:
    return f"pdfium {PDFIUM_INFO.major}.{PDFIUM_INFO.minor}.{PDFIUM_INFO.build}"


def _open(data: bytes, password: str | None) -> Any:
    if not data:
        raise errors.EmptyDocument("the document has 0 bytes")
    code = raw.FPDF_ERR_SUCCESS
    for candidate in _passwords(password):
        handle = raw.FPDF_LoadMemDocument64(data, len(data), candidate)
        if handle:
            return handle
        code = raw.FPDF_GetLastError()
        if code != raw.FPDF_ERR_PASSWORD:
            break
    raise _open_error(code, data[:HEADER_WITHIN], password)


def _passwords(password: str | None) -> list[bytes | None]:
    """PDFium takes bytes: revision 6 documents mean UTF-8, older ones mostly Latin-1 (ISO 32000-2, 7.6.4)."""
    if password is None:
        return [None]
    candidates: list[bytes | None] = [password.encode("utf-8", "surrogateescape")]
    try:
        latin = password.encode("latin-1")
    except UnicodeEncodeError:
        return candidates
    return candidates if latin in candidates else [*candidates, latin]


def _open_error(code: int, head: bytes, password: str | None) -> errors.NdfdError:
    if code == raw.FPDF_ERR_PASSWORD:
        if password is None:
            return errors.PasswordRequired("the document is encrypted and needs a password")
        return errors.PasswordWrong("the password does not open the document")
    if code == raw.FPDF_ERR_SECURITY:
        return errors.UnsupportedEncryption("the document is encrypted in a way that the engine does not know")
    if b"%PDF-" not in head:
        return errors.UnsupportedFormat("the document is not a PDF: it has no %PDF- header")
    return errors.DamagedDocument("the engine cannot open the document: it is truncated or corrupt")


class Document:
    def __init__(self, data: object, password: str | None = None) -> None:
        self._handle: Any = None
        self._form: Any = None
        initialise()
        self._data = bytes(memoryview(data))  # type: ignore[arg-type]  # any buffer; collections.abc.Buffer is 3.12's
        self._handle = _open(self._data, password)
        self._fonts = FontTable()
        self.page_count: int = max(raw.FPDF_GetPageCount(self._handle), 0)
        self.tagged = bool(raw.FPDFCatalog_IsTagged(self._handle))
        if raw.FPDF_GetFormType(self._handle) != raw.FORMTYPE_NONE:
            self._form_info = raw.FPDF_FORMFILLINFO(version=2)
            self._form = raw.FPDFDOC_InitFormFillEnvironment(self._handle, ctypes.byref(self._form_info))

    @property
    def fonts(self) -> list[Font]:
        return self._fonts.fonts

    def metadata(self) -> dict[str, str]:
        return read_metadata(self._open_handle())

    def outline(self) -> list[Outline]:
        return read_outline(self._open_handle())

    def page(self, index: int) -> PageArrays:
        handle = self._open_handle()
        if not 0 <= index < self.page_count:
            raise IndexError(f"page index {index} is not in 0..{self.page_count - 1}")
        page = raw.FPDF_LoadPage(handle, index)
        if not page:
            raise errors.DamagedDocument(f"the engine cannot load page {index + 1}", page=index + 1)
        if self._form:
            raw.FORM_OnAfterLoadPage(page, self._form)
        try:
            return self._read(page, index)
        finally:
            if self._form:
                raw.FORM_OnBeforeClosePage(page, self._form)
            raw.FPDF_ClosePage(page)

    def _read(self, page: Any, index: int) -> PageArrays:
        arrays, frame = _displayed(page)
        width, height = arrays.width, arrays.height
        arrays.label = read_label(self._handle, index)
        text_page = raw.FPDFText_LoadPage(page)
        if not text_page:
            raise errors.DamagedDocument(f"the engine cannot read the text of page {index + 1}", page=index + 1)
        try:
            characters = CharacterReader(text_page, frame, self._fonts, self.tagged).read()
        finally:
            raw.FPDFText_ClosePage(text_page)
        notes = read_notes(page, self._form, frame)
        arrays.form_texts = append_notes(characters, notes, self._fonts)
        characters.fill(arrays)
        found = read_objects(page, frame.matrix(), width, height)
        arrays.rule_count, arrays.image_count = len(found.rule_kind), len(found.image_pixels) // 2
        for name in ("rule_box", "rule_kind", "rule_width", "rule_colour", "image_box", "image_pixels"):
            setattr(arrays, name, memoryview(getattr(found, name)).toreadonly())
        arrays.paths_skipped = found.paths_skipped
        arrays.links = read_links(self._handle, page, frame)
        if self.tagged:
            arrays.tags = read_tags(page)
        return arrays

    def _open_handle(self) -> Any:
        if not self._handle:
            raise ValueError("the document is closed")
        return self._handle

    def close(self) -> None:
        if self._form:
            raw.FPDFDOC_ExitFormFillEnvironment(self._form)
            self._form = None
        if self._handle:
            raw.FPDF_CloseDocument(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def _displayed(page: Any) -> tuple[PageArrays, Frame]:
    """An empty page with its size as displayed, and its frame."""
    box = raw.FS_RECTF()
    raw.FPDF_GetPageBoundingBox(page, ctypes.byref(box))
    turns = raw.FPDFPage_GetRotation(page) % 4
    frame = (
        Frame(False, 1, -box.left, -1, box.top),
        Frame(True, 1, -box.bottom, 1, -box.left),
        Frame(False, -1, box.right, 1, -box.bottom),
        Frame(True, -1, box.top, -1, box.right),
    )[turns]
    width, height = box.right - box.left, box.top - box.bottom
    if turns % 2:
        width, height = height, width
    return PageArrays(single(width), single(height), turns * 90), frame
