"""The host's fonts out of memory: what ext/pdftext_hostfonts_impl.c does, through ctypes.

The files are read and not mapped: Python's mappings keep a descriptor each.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ndfd.errors import NativeMissing
from ndfd.native._py.pdfium import raw
from ndfd.native.host_fonts import HeldFont

_WHOLE_FILE = 0
_WHOLE_COLLECTION = 0x74746366  # "ttcf"
_NORMAL_WEIGHT = 400


class HostFonts:
    """`host_fonts.FontEngine`. Must live as long as the process: PDFium calls it."""

    def __init__(self) -> None:
        self._pointer = raw.FPDF_GetDefaultSystemFontInfo()
        if not self._pointer:
            raise NativeMissing("the engine library offers no fonts of the host")
        self._own = self._pointer.contents
        self._held: dict[int, HeldFont] | None = None
        fields: dict[str, Any] = dict(raw.FPDF_SYSFONTINFO._fields_)
        # No charset: PDFium's own does not know it either, and then keeps the one that was asked for.
        self._ours = raw.FPDF_SYSFONTINFO(
            version=1,
            EnumFonts=fields["EnumFonts"](lambda info, mapper: self._own.EnumFonts(self._pointer, mapper)),
            MapFont=fields["MapFont"](self._choose),
            GetFont=fields["GetFont"](lambda info, face: self._if_held(self._own.GetFont(self._pointer, face))),
            GetFontData=fields["GetFontData"](self._read),
            GetFaceName=fields["GetFaceName"](self._name),
        )
        raw.FPDF_SetSystemFontInfo(ctypes.byref(self._ours))
        # PDFium scans the folders when the first font is asked for.
        document = raw.FPDF_CreateNewDocument()
        raw.FPDFFont_Close(raw.FPDFText_LoadStandardFont(document, b"Helvetica"))
        raw.FPDF_CloseDocument(document)

    def open(self, path: str) -> memoryview | None:
        try:
            return memoryview(Path(path).read_bytes())
        except OSError:
            return None

    def named(self, name: bytes) -> int:
        return int(self._own.GetFont(self._pointer, ctypes.create_string_buffer(name)) or 0)

    def chosen(self, weight: int, italic: bool, charset: int, pitch: int, name: bytes) -> int:
        face = ctypes.create_string_buffer(name)
        return int(self._own.MapFont(self._pointer, weight, italic, charset, pitch, face, ctypes.c_int()) or 0)

    def file_size(self, font: int) -> int:
        sizes = (self._own.GetFontData(self._pointer, font, what, None, 0) for what in (_WHOLE_FILE, _WHOLE_COLLECTION))
        return int(max(sizes))

    def table(self, font: int, tag: int) -> bytes:
        size = self._own.GetFontData(self._pointer, font, tag, None, 0)
        table = (ctypes.c_ubyte * size)()
        return bytes(table) if self._own.GetFontData(self._pointer, font, tag, table, size) == size else b""

    def serve(self, fonts: Sequence[HeldFont]) -> None:
        self._held = {font.font: font for font in fonts}

    def _if_held(self, font: int | None) -> int | None:
        return font if self._held is None or font in self._held else None

    def _choose(
        self, info: Any, weight: int, italic: int, charset: int, pitch: int, face: Any, exact: Any
    ) -> int | None:
        font = self._if_held(self._own.MapFont(self._pointer, weight, italic, charset, pitch, face, exact))
        # The bold or the serif cut may be left out where the plain one is held.
        return font or self._if_held(self._own.MapFont(self._pointer, _NORMAL_WEIGHT, 0, charset, 0, face, exact))

    def _read(self, info: Any, font: int | None, table: int, buffer: Any, room: int) -> int:
        """The bytes needed, and the beginning when the room is smaller: ext/pdftext_hostfonts_impl.c says why."""
        if self._held is None:
            return int(self._own.GetFontData(self._pointer, font, table, buffer, room))
        known = self._held.get(font or 0)
        if known is None or table != (_WHOLE_COLLECTION if known.in_collection else _WHOLE_FILE):
            return 0
        if buffer and room:
            part = bytes(known.data[:room])
            ctypes.memmove(buffer, part, len(part))
        return len(known.data)

    def _name(self, info: Any, font: int | None, buffer: Any, room: int) -> int:
        known = self._held.get(font or 0) if self._held is not None else None
        if known is None:
            return 0
        if buffer and room >= len(known.name):
            ctypes.memmove(buffer, known.name, len(known.name))
        return len(known.name)
