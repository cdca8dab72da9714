# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=False
"""PDFium's extraction kernel: a page's characters, rules and images as flat arrays, filled in C without the GIL.

The promises stand in `native/_c/pdftext.pyi`; the reference with the same values is `native/_py/pdftext.py`.
"""

import json
import os
from collections import namedtuple
from importlib.util import find_spec

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_SIMPLE, PyBUF_STRIDES, PyBUF_WRITABLE
from cpython.buffer cimport PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Malloc
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uintptr_t
from libc.stdlib cimport free
from libc.string cimport memset

from pdftext_impl cimport *

from ndfd.errors import (
    DamagedDocument,
    EmptyDocument,
    NativeMissing,
    PasswordRequired,
    PasswordWrong,
    UnsupportedEncryption,
    UnsupportedFormat,
)
from ndfd.native import host_fonts

cdef extern from "Python.h":
    object PyUnicode_DecodeUTF16(const char *data, Py_ssize_t size, const char *errors, int *byteorder)

BOLD = ND_BOLD
ITALIC = ND_ITALIC
MONO = ND_MONO
GENERATED = ND_GENERATED
HYPHEN = ND_HYPHEN
UNMAPPED = ND_UNMAPPED
GARBAGE = ND_GARBAGE
INVISIBLE = ND_INVISIBLE
FIELD = ND_FIELD
ANNOTATION = ND_ANNOTATION
SUPERSCRIPT = ND_SUPERSCRIPT

RULE_HORIZONTAL = ND_RULE_HORIZONTAL
RULE_VERTICAL = ND_RULE_VERTICAL
RULE_BOX = ND_RULE_BOX
RULE_FILL = ND_RULE_FILL

OBLIQUE = ND_OBLIQUE

Font = namedtuple("Font", "name flags weight embedded")
FormText = namedtuple("FormText", "kind name text bbox first_char char_count")
Link = namedtuple("Link", "bbox uri page")
Tag = namedtuple("Tag", "role depth mcids alt row_span column_span")
Outline = namedtuple("Outline", "title level page")

_METADATA_KEYS = ("Title", "Author", "Subject", "Keywords", "Creator", "Producer", "CreationDate", "ModDate", "Trapped")

# FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY
cdef enum: _PASSWORD = 4
cdef enum: _SECURITY = 5

# A PDF's header may stand anywhere in the first 1024 bytes (ISO 32000-1, annex H, implementation note 13).
cdef enum: _HEADER_WITHIN = 1024

# What PDFium points at for as long as the process lives.
_font_paths = []
_held_fonts = []
cdef const char **_font_pointers = NULL
cdef bint _ready = False
_held = None

# The 'table' that stands for a whole collection: "ttcf".
cdef enum: _COLLECTION = 0x74746366


def _package():
    """The folder of pypdfium2's library, found without importing its ctypes binding, which takes 30 ms."""
    spec = find_spec("pypdfium2_raw")
    if spec is None or not spec.submodule_search_locations:
        raise NativeMissing("the package pypdfium2, which brings the engine library, is not installed")
    return spec.submodule_search_locations[0]


def _library():
    folder = _package()
    for name in ("libpdfium.so", "libpdfium.dylib", "pdfium.dll"):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    raise NativeMissing(f"the engine library libpdfium is not in {folder}")


def initialise(font_paths=()):
    global _ready, _font_pointers
    cdef char why[512]
    if _ready:
        return
    if not nd_open_library(os.fsencode(_library()), why, sizeof(why)):
        raise NativeMissing(f"the engine library is unusable: {os.fsdecode(why)}")
    # With no list at all PDFium looks in the host's usual font folders; a list takes their place.
    if font_paths:
        _font_paths[:] = [os.fsencode(path) for path in font_paths]
        _font_pointers = <const char **>PyMem_Malloc((len(_font_paths) + 1) * sizeof(char *))
        if _font_pointers == NULL:
            raise MemoryError
        for i, path in enumerate(_font_paths):
            _font_pointers[i] = path
        _font_pointers[len(_font_paths)] = NULL
    nd_initialise(<const char *const *>_font_pointers)
    _ready = True


cdef class _FontFile:
    """The bytes of a font's file, mapped for as long as this lives."""

    cdef const void *data
    cdef size_t size

    def __dealloc__(self):
        if self.data != NULL:
            nd_unmap(self.data, self.size)

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, <void *>self.data, self.size, 1, flags)


class _HostFonts:
    """host_fonts.FontEngine"""

    def open(self, path):
        cdef _FontFile file = _FontFile.__new__(_FontFile)
        file.data = nd_map_file(os.fsencode(path), &file.size)
        return memoryview(file) if file.data != NULL else None

    def named(self, name):
        return <uintptr_t>nd_own_font(name)

    def chosen(self, weight, italic, charset, pitch, name):
        return <uintptr_t>nd_own_choice(weight, italic, charset, pitch, name)

    def file_size(self, uintptr_t font):
        return nd_own_table(<void *>font, 0, NULL, 0) or nd_own_table(<void *>font, _COLLECTION, NULL, 0)

    def table(self, uintptr_t font, unsigned tag):
        cdef bytearray table = bytearray(nd_own_table(<void *>font, tag, NULL, 0))
        if nd_own_table(<void *>font, tag, table, len(table)) != <size_t>len(table):
            return b""
        return bytes(table)

    def serve(self, fonts):
        cdef nd_held_font *held = <nd_held_font *>PyMem_Malloc((len(fonts) + 1) * sizeof(nd_held_font))
        cdef _FontFile file
        if held == NULL:
            raise MemoryError
        _held_fonts[:] = fonts
        for i, font in enumerate(fonts):
            file = font.data.obj
            held[i] = nd_held_font(
                <void *><uintptr_t>font.font, font.name, len(font.name), <const unsigned char *>file.data, file.size,
                font.in_collection,
            )
        nd_serve_fonts(held, len(fonts))


def hold_fonts(folders, bytes_max):
    global _held
    if _held is None:
        initialise(folders)
        if not nd_watch_fonts():
            raise NativeMissing("the engine library offers no fonts of the host")
        _held = host_fonts.hold(_HostFonts(), folders, bytes_max)
    return _held


def engine_name():
    with open(os.path.join(_package(), "version.json"), encoding="utf-8") as file:
        version = json.load(file)
    return f"pdfium {version['major']}.{version['minor']}.{version['build']}"


cdef inline str _wide(const char *pool, nd_text text):
    cdef int little_endian = -1
    return PyUnicode_DecodeUTF16(pool + text.at, text.size, b"replace", &little_endian) if text.size else ""


cdef str _byte_text(const char *data, uint32_t size):
    """Text of a byte string whose encoding the format leaves open: UTF-8 where it is that, else Latin-1."""
    cdef bytes raw = PyBytes_FromStringAndSize(data, size)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


cdef inline tuple _box(const float *box):
    return box[0], box[1], box[2], box[3]


cdef class _Array:
    """One array of a page, as a read-only buffer that keeps the page alive."""

    cdef PageArrays page
    cdef const void *data
    cdef Py_ssize_t count, itemsize
    cdef const char *format

    def __getbuffer__(self, Py_buffer *view, int flags):
        if flags & PyBUF_WRITABLE:
            raise BufferError("the arrays of a page are read-only")
        view.buf = <void *>self.data
        view.obj = self
        view.len = self.count * self.itemsize
        view.itemsize = self.itemsize
        view.readonly = 1
        view.ndim = 1
        view.format = <char *>self.format if flags & PyBUF_FORMAT else NULL
        view.shape = &self.count if flags & PyBUF_ND else NULL
        view.strides = &self.itemsize if (flags & PyBUF_STRIDES) == PyBUF_STRIDES else NULL
        view.suboffsets = NULL
        view.internal = NULL


cdef class PageArrays:
    cdef nd_page page
    cdef object _links, _form_texts, _tags

    def __cinit__(self):
        memset(&self.page, 0, sizeof(self.page))

    def __dealloc__(self):
        free(self.page.block)

    cdef object _view(self, const void *data, Py_ssize_t count, Py_ssize_t itemsize, const char *format):
        cdef _Array array = _Array.__new__(_Array)
        array.page = self
        array.data = data
        array.count = count
        array.itemsize = itemsize
        array.format = format
        return memoryview(array)

    @property
    def width(self): return self.page.width
    @property
    def height(self): return self.page.height
    @property
    def rotation(self): return self.page.rotation
    @property
    def label(self): return _wide(self.page.pool, self.page.label) or None
    @property
    def count(self): return self.page.count
    @property
    def codepoint(self): return self._view(self.page.codepoint, self.page.count, 4, b"I")
    @property
    def loose(self): return self._view(self.page.loose, 4 * self.page.count, 4, b"f")
    @property
    def tight(self): return self._view(self.page.tight, 4 * self.page.count, 4, b"f")
    @property
    def origin(self): return self._view(self.page.origin, 2 * self.page.count, 4, b"f")
    @property
    def font(self): return self._view(self.page.font, self.page.count, 2, b"H")
    @property
    def size(self): return self._view(self.page.size, self.page.count, 4, b"f")
    @property
    def weight(self): return self._view(self.page.weight, self.page.count, 2, b"H")
    @property
    def flags(self): return self._view(self.page.flags, self.page.count, 2, b"H")
    @property
    def colour(self): return self._view(self.page.colour, self.page.count, 4, b"I")
    @property
    def direction(self): return self._view(self.page.direction, self.page.count, 1, b"B")
    @property
    def mcid(self): return self._view(self.page.mcid, self.page.count, 4, b"i")
    @property
    def rule_count(self): return self.page.rule_count
    @property
    def rule_box(self): return self._view(self.page.rule_box, 4 * self.page.rule_count, 4, b"f")
    @property
    def rule_kind(self): return self._view(self.page.rule_kind, self.page.rule_count, 1, b"B")
    @property
    def rule_width(self): return self._view(self.page.rule_width, self.page.rule_count, 4, b"f")
    @property
    def rule_colour(self): return self._view(self.page.rule_colour, self.page.rule_count, 4, b"I")
    @property
    def image_count(self): return self.page.image_count
    @property
    def image_box(self): return self._view(self.page.image_box, 4 * self.page.image_count, 4, b"f")
    @property
    def image_pixels(self): return self._view(self.page.image_pixels, 2 * self.page.image_count, 4, b"I")
    @property
    def paths_skipped(self): return self.page.paths_skipped

    @property
    def links(self):
        cdef nd_link *link
        cdef size_t i
        if self._links is None:
            found = []
            for i in range(self.page.link_count):
                link = &self.page.links[i]
                uri = _byte_text(self.page.pool + link.uri.at, link.uri.size) if link.has_uri else None
                found.append(Link(_box(link.box), uri, None if link.page < 0 else link.page))
            self._links = found
        return self._links

    @property
    def form_texts(self):
        cdef nd_note *note
        cdef size_t i
        if self._form_texts is None:
            found = []
            for i in range(self.page.note_count):
                note = &self.page.notes[i]
                kind = (<bytes>nd_note_kinds[note.kind]).decode("ascii")
                name, text = _wide(self.page.pool, note.name), _wide(self.page.pool, note.text)
                found.append(FormText(kind, name, text, _box(note.box), note.first_char, note.char_count))
            self._form_texts = found
        return self._form_texts

    @property
    def tags(self):
        cdef nd_tag *tag
        cdef size_t i
        cdef uint32_t k
        if self._tags is None:
            found = []
            for i in range(self.page.tag_count):
                tag = &self.page.tags[i]
                mcids = tuple([self.page.tag_mcids[tag.mcid_at + k] for k in range(tag.mcid_count)])
                role, alt = _wide(self.page.pool, tag.role), _wide(self.page.pool, tag.alt)
                found.append(Tag(role, tag.depth, mcids, alt, tag.row_span, tag.column_span))
            self._tags = found
        return self._tags


def _passwords(password):
    """PDFium takes bytes: revision 6 documents mean UTF-8, older ones mostly Latin-1 (ISO 32000-2, 7.6.4)."""
    if password is None:
        return [None]
    candidates = [password.encode("utf-8", "surrogateescape")]
    try:
        latin = password.encode("latin-1")
    except UnicodeEncodeError:
        return candidates
    return candidates if latin in candidates else [*candidates, latin]


def _open_error(code, head, password):
    if code == _PASSWORD:
        if password is None:
            return PasswordRequired("the document is encrypted and needs a password")
        return PasswordWrong("the password does not open the document")
    if code == _SECURITY:
        return UnsupportedEncryption("the document is encrypted in a way that the engine does not know")
    if b"%PDF-" not in head:
        return UnsupportedFormat("the document is not a PDF: it has no %PDF- header")
    return DamagedDocument("the engine cannot open the document: it is truncated or corrupt")


cdef class Document:
    cdef nd_document document
    cdef Py_buffer data
    cdef bint held, opened
    cdef list _fonts

    def __cinit__(self):
        memset(&self.document, 0, sizeof(self.document))
        memset(&self.data, 0, sizeof(self.data))
        self._fonts = []

    def __init__(self, data, password=None):
        if self.held:
            raise ValueError("the document is open already")
        initialise()
        PyObject_GetBuffer(data, &self.data, PyBUF_SIMPLE)
        self.held = True
        if self.data.len == 0:
            raise EmptyDocument("the document has 0 bytes")
        self._open(password)

    cdef _open(self, password):
        cdef unsigned long code = 0
        cdef const char *secret
        for candidate in _passwords(password):
            secret = <const char *>NULL if candidate is None else <const char *><bytes>candidate
            with nogil:
                code = nd_open(&self.document, self.data.buf, self.data.len, secret)
            if code == 0:
                self.opened = True
                return
            if code != _PASSWORD:
                break
        head = PyBytes_FromStringAndSize(<char *>self.data.buf, min(self.data.len, _HEADER_WITHIN))
        raise _open_error(code, head, password)

    cdef _check(self):
        if not self.opened:
            raise ValueError("the document is closed")

    @property
    def page_count(self): return self.document.page_count
    @property
    def tagged(self): return self.document.tagged != 0

    @property
    def fonts(self):
        cdef nd_font *font
        while <size_t>len(self._fonts) < self.document.fonts.count:
            font = <nd_font *>self.document.fonts.data + len(self._fonts)
            name = _byte_text(self.document.font_names.data + font.name.at, font.name.size)
            self._fonts.append(Font(name, font.flags, font.weight, font.embedded != 0))
        return self._fonts

    def metadata(self):
        cdef nd_text text
        self._check()
        found = {}
        for key in _METADATA_KEYS:
            if nd_read_metadata(&self.document, key.encode(), &text) != ND_OK:
                raise MemoryError
            found[key] = _wide(self.document.pool.data, text)
        if nd_read_metadata(&self.document, NULL, &text) != ND_OK:
            raise MemoryError
        found["Language"] = _wide(self.document.pool.data, text)
        version = nd_file_version(&self.document)
        if version > 0:
            found["PDFVersion"] = f"{version // 10}.{version % 10}"
        return {key: value for key, value in found.items() if value}

    def outline(self):
        cdef nd_vector entries
        cdef nd_entry *entry
        cdef size_t i
        self._check()
        memset(&entries, 0, sizeof(entries))
        try:
            if nd_read_outline(&self.document, &entries) != ND_OK:
                raise MemoryError
            found = []
            for i in range(entries.count):
                entry = <nd_entry *>entries.data + i
                title = _wide(self.document.pool.data, entry.title)
                found.append(Outline(title, entry.level, None if entry.page < 0 else entry.page))
            return found
        finally:
            nd_release(&entries)

    def page(self, Py_ssize_t index):
        cdef PageArrays arrays
        cdef int result
        self._check()
        if not 0 <= index < self.document.page_count:
            raise IndexError(f"page index {index} is not in 0..{self.document.page_count - 1}")
        arrays = PageArrays.__new__(PageArrays)
        with nogil:
            result = nd_read_page(&self.document, <int>index, &arrays.page)
        if result == ND_OK:
            return arrays
        if result == ND_NO_MEMORY:
            raise MemoryError
        what = "load" if result == ND_NO_PAGE else "read the text of"
        raise DamagedDocument(f"the engine cannot {what} page {index + 1}", page=index + 1)

    def close(self):
        if self.opened:
            self.fonts  # the list outlives the document
        self._release()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def __dealloc__(self):
        self._release()

    cdef void _release(self):
        """PDFium first, then the bytes it reads from."""
        self.opened = False
        nd_close(&self.document)
        if self.held:
            PyBuffer_Release(&self.data)
            self.held = False
