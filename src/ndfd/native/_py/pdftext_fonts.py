"""Fonts of a document: what a font says of itself, in its descriptor and in its name."""

from __future__ import annotations

import ctypes
import re

from ndfd.native._py.pdfium import byte_text, raw
from ndfd.native._py.pdftext_values import BOLD, ITALIC, MONO, Font

#: Font descriptor flags (ISO 32000-1, table 123).
FIXED_PITCH = 1
DESCRIPTOR_ITALIC = 1 << 6
FORCE_BOLD = 1 << 18

#: Computer Modern and its kin name their bold, italic and typewriter cuts by letters only; URW calls bold "Medi".
BOLD_NAMES = (b"bold", b"black", b"heavy", b"demi", b"-bd", b"cmbx", b"cmssbx", b"sfbx", b"ecbx", b"cmb10")
BOLD_MEDI, MEDIUM = b"-medi", b"-medium"
ITALIC_NAMES = (b"italic", b"oblique", b"cmti", b"cmmi", b"cmsl", b"sfti")
MONO_NAMES = (b"mono", b"courier", b"consola", b"typewriter", b"cmtt", b"sftt")

_SUBSET = re.compile(rb"[A-Z]{6}\+")
FONTS_MAX = 0xFFFF
#: Bytes of a name in which its words are looked for.
NAME_LOOKED_AT = 255


class FontTable:
    """Fonts by value: two subsets of one font with the same name and style are one entry."""

    def __init__(self) -> None:
        self.fonts: list[Font] = []
        self._index: dict[tuple[bytes, int, int, bool], int] = {}

    def add(self, name: bytes, flags: int, weight: int, embedded: bool) -> int:
        key = name, flags, weight, embedded
        index = self._index.get(key)
        if index is None:
            if len(self.fonts) == FONTS_MAX:
                return FONTS_MAX - 1
            index = self._index[key] = len(self.fonts)
            self.fonts.append(Font(byte_text(name), flags, weight, embedded))
        return index

    def add_handle(self, handle: object) -> int:
        return self.add(*_read(handle)) if handle else self.unknown()

    def unknown(self) -> int:
        """The entry of characters that have no font: form values, annotation text."""
        return self.add(b"", 0, 0, False)


def _base_name(handle: object) -> bytes:
    needed = raw.FPDFFont_GetBaseFontName(handle, None, 0)
    if needed <= 1:
        return b""
    buffer = ctypes.create_string_buffer(needed)
    raw.FPDFFont_GetBaseFontName(handle, buffer, needed)
    return buffer.value


def _read(handle: object) -> tuple[bytes, int, int, bool]:
    name = _base_name(handle)
    if _SUBSET.match(name):
        name = name[7:]
    weight = min(max(raw.FPDFFont_GetWeight(handle), 0), 900)
    angle = ctypes.c_int(0)
    raw.FPDFFont_GetItalicAngle(handle, ctypes.byref(angle))
    descriptor = max(raw.FPDFFont_GetFlags(handle), 0)
    lower = name[:NAME_LOOKED_AT].lower()
    flags = 0
    # Not by weight: PDFium computes it from StemV, which many programs fill with nonsense (plain ArialMT: 900).
    if descriptor & FORCE_BOLD or any(word in lower for word in BOLD_NAMES) or _is_medi(lower):
        flags |= BOLD
    if angle.value or descriptor & DESCRIPTOR_ITALIC or any(word in lower for word in ITALIC_NAMES):
        flags |= ITALIC
    if descriptor & FIXED_PITCH or any(word in lower for word in MONO_NAMES):
        flags |= MONO
    return name, flags, weight, raw.FPDFFont_GetIsEmbedded(handle) == 1


def _is_medi(lower: bytes) -> bool:
    return BOLD_MEDI in lower and MEDIUM not in lower
