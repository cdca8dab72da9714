"""Characters of a page: PDFium's text page as arrays, and behind them the text of fields and annotations."""

from __future__ import annotations

import ctypes
import math
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from ndfd.native._py.pdfium import address, raw
from ndfd.native._py.pdftext_annotations import Note
from ndfd.native._py.pdftext_fonts import FontTable
from ndfd.native._py.pdftext_objects import colour_of
from ndfd.native._py.pdftext_values import (
    GARBAGE,
    GENERATED,
    HYPHEN,
    INVISIBLE,
    OBLIQUE,
    UNMAPPED,
    Box,
    FormText,
    Frame,
    PageArrays,
    box_of,
    within,
)

#: PDFium's own code for a hyphen that it takes for a soft one.
HYPHEN_CODE = 0x02
REPLACEMENT = 0xFFFD
#: tan 5 degrees: as far as scanned text may be askew and still count as level; PDFium's text page draws the same line.
ASKEW_MAX = 0.0875
BLACK = 0x000000FF


class _Facts(NamedTuple):
    """What all characters of a text object share."""

    font: int
    size: float
    weight: int
    flags: int
    colour: int
    direction: int
    mcid: int


class Characters:
    """The growing arrays."""

    def __init__(self) -> None:
        self.codepoint = array("I")
        self.loose = array("f")
        self.tight = array("f")
        self.origin = array("f")
        self.font = array("H")
        self.size = array("f")
        self.weight = array("H")
        self.flags = array("H")
        self.colour = array("I")
        self.direction = array("B")
        self.mcid = array("i")

    def __len__(self) -> int:
        return len(self.codepoint)

    def add(self, code: int, loose: Box, tight: Box, origin: tuple[float, float], flags: int, facts: _Facts) -> None:
        if is_garbage(code):
            flags |= GARBAGE
        if 0xD800 <= code <= 0xDFFF:
            code = REPLACEMENT
        self.codepoint.append(code)
        self.loose.extend(loose)
        self.tight.extend(tight)
        self.origin.extend(origin)
        self.font.append(facts.font)
        self.size.append(facts.size)
        self.weight.append(facts.weight)
        self.flags.append(flags | facts.flags)
        self.colour.append(facts.colour)
        self.direction.append(facts.direction)
        self.mcid.append(facts.mcid)

    def fill(self, page: PageArrays) -> None:
        page.count = len(self)
        for name, values in vars(self).items():
            setattr(page, name, memoryview(values).toreadonly())


def is_garbage(code: int) -> bool:
    """Control, private-use, surrogate and non-characters, and the replacement character."""
    if code < 0xA0:
        return (code < 0x20 and code not in (0x09, 0x0A, 0x0D)) or code >= 0x7F
    if code < 0xD800:
        return False
    return (
        code <= 0xF8FF or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE or code == REPLACEMENT or code >= 0xF0000
    )


class CharacterReader:
    """Reads one page's text page; `tagged` says whether marked-content ids mean anything."""

    def __init__(self, text_page: object, frame: Frame, fonts: FontTable, tagged: bool) -> None:
        self._text = text_page
        self._frame = frame
        self._fonts = fonts
        self._tagged = tagged
        self._font_index: dict[int, int] = {}
        self._object = 0
        self._facts: _Facts | None = None

    def read(self) -> Characters:
        characters = Characters()
        count = max(raw.FPDFText_CountChars(self._text), 0)
        i = 0
        while i < count:
            code = raw.FPDFText_GetUnicode(self._text, i)
            at = i
            if 0xD800 <= code <= 0xDBFF and i + 1 < count:
                low = raw.FPDFText_GetUnicode(self._text, i + 1)
                if 0xDC00 <= low <= 0xDFFF:
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
                    i += 1
            self._character(characters, at, code)
            i += 1
        return characters

    def _character(self, characters: Characters, i: int, code: int) -> None:
        flags = 0
        if code in (0x20, 0x0D, 0x0A) and raw.FPDFText_IsGenerated(self._text, i) == 1:
            flags = GENERATED
        elif code == HYPHEN_CODE and raw.FPDFText_IsHyphen(self._text, i) == 1:
            flags, code = HYPHEN, 0x2D
        elif raw.FPDFText_HasUnicodeMapError(self._text, i) == 1:
            flags = UNMAPPED
        facts = self._facts_of(i, flags)
        left, right, bottom, top = (ctypes.c_double(0) for _ in range(4))
        raw.FPDFText_GetCharBox(self._text, i, *(ctypes.byref(v) for v in (left, right, bottom, top)))
        tight = self._frame.box(left.value, top.value, right.value, bottom.value)
        rect = raw.FS_RECTF()
        raw.FPDFText_GetLooseCharBox(self._text, i, ctypes.byref(rect))
        loose = self._frame.box(rect.left, rect.top, rect.right, rect.bottom)
        raw.FPDFText_GetCharOrigin(self._text, i, ctypes.byref(left), ctypes.byref(top))
        characters.add(code, loose, tight, self._frame.point(left.value, top.value), flags, facts)

    def _facts_of(self, i: int, flags: int) -> _Facts:
        """Of the character's text object; what PDFium inserted takes those of the character before it."""
        item = None if flags & GENERATED else raw.FPDFText_GetTextObject(self._text, i)
        if item and (address(item) != self._object or self._facts is None):
            self._object = address(item)
            self._facts = self._read_facts(i, item)
        return self._facts or _Facts(self._fonts.unknown(), 0.0, 0, 0, BLACK, 0, -1)

    def _read_facts(self, i: int, item: object) -> _Facts:
        handle = raw.FPDFTextObj_GetFont(item)
        key = address(handle)
        if key not in self._font_index:
            self._font_index[key] = self._fonts.add_handle(handle)
        index = self._font_index[key]
        font = self._fonts.fonts[index]
        size = ctypes.c_float(0)
        raw.FPDFTextObj_GetFontSize(item, ctypes.byref(size))
        m = raw.FS_MATRIX()
        if not raw.FPDFText_GetMatrix(self._text, i, ctypes.byref(m)):
            m.a = m.d = 1.0
        flags = font.flags
        if raw.FPDFTextObj_GetTextRenderMode(item) == raw.FPDF_TEXTRENDERMODE_INVISIBLE:
            flags |= INVISIBLE
        return _Facts(
            index,
            within(abs(size.value) * math.sqrt(m.c * m.c + m.d * m.d)),
            font.weight,
            flags,
            colour_of(raw.FPDFPageObj_GetFillColor, item),
            self._direction(m.a, m.b, size.value),
            raw.FPDFPageObj_GetMarkedContentID(item) if self._tagged else -1,
        )

    def _direction(self, a: float, b: float, size: float) -> int:
        """Quarter turns clockwise of the baseline as displayed, where y runs down."""
        x = self._frame.sx * (b if self._frame.swap else a)
        y = self._frame.sy * (a if self._frame.swap else b)
        if size < 0:
            x, y = -x, -y
        if abs(y) <= ASKEW_MAX * abs(x):
            return 0 if x >= 0 else 2
        if abs(x) <= ASKEW_MAX * abs(y):
            return 1 if y >= 0 else 3
        return OBLIQUE


def append_notes(characters: Characters, notes: list[Note], fonts: FontTable) -> list[FormText]:
    return [_append_note(characters, note, fonts) for note in notes]


def _append_note(characters: Characters, note: Note, fonts: FontTable) -> FormText:
    if not note.flag or not note.text:
        return FormText(note.kind, note.name, note.text, note.box, -1, 0)
    font = fonts.unknown()
    x0, y0, x1, y1 = note.box
    rows = note.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    row_height = (y1 - y0) / len(rows)
    size = note.size if note.size > 0 else min(row_height * 0.7, 12.0)
    facts = _Facts(font, size, 0, note.flag, BLACK, 0, -1)
    if len(characters):
        characters.add(0x0A, *_spot(x0, y0), GENERATED, facts)
    first = len(characters)
    for i, row in enumerate(rows):
        middle = y0 + (i + 0.5) * row_height
        if i:
            characters.add(0x0A, *_spot(x0, middle), GENERATED, facts)
        for code, loose, origin in _lay_out(row, x0, x1, middle, size):
            characters.add(code, loose, loose, origin, 0, facts)
    return FormText(note.kind, note.name, note.text, note.box, first, len(characters) - first)


def _spot(x: float, y: float) -> tuple[Box, Box, tuple[float, float]]:
    return (x, y, x, y), (x, y, x, y), (x, y)


def _lay_out(row: str, x0: float, x1: float, middle: float, size: float) -> Iterator[tuple[int, Box, Point]]:
    """Evenly from the left edge: half an em a character, or closer where the row would not fit."""
    if not row:
        return
    step = min((x1 - x0) / len(row), size * 0.5)
    top, bottom = middle - size * 0.5, middle + size * 0.5
    for i, char in enumerate(row):
        left = x0 + i * step
        yield ord(char), box_of(left, top, left + step, bottom), (left, bottom - size * 0.2)


Point = tuple[float, float]
