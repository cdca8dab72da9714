"""The page-array seam: what ext/pdftext (compiled) and native/_py/pdftext (reference) both give, value for value.

A page is a structure of flat arrays, so that nothing behind the seam knows which engine filled them, and no object per
character is ever made. Every array is a contiguous, read-only, one-dimensional memoryview that keeps its memory alive.

Coordinates are points from the top left of the page as displayed (after CropBox and /Rotate), single precision, finite
(held to a million points either way whatever the file says), x0 <= x1 and y0 <= y1.

Characters come in PDFium's text-page order. What PDFium inserted (`GENERATED`: a space, or "\\r" and "\\n" at a line's
end) has a box of no size and takes font, size, colour, direction and marked-content id from the character before it.
The text of form fields and of visible annotations is appended after them as characters of its own (flag `FIELD` or
`ANNOTATION`), one run after another with a generated "\\n" between: its lines are stacked in the rectangle, each laid
out evenly from the left edge, half an em a character or closer where the line would not fit.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

from ndfd.native.host_fonts import HeldFonts

# Character flags, bits of `PageArrays.flags`.
BOLD: int  # 1: the font says so (ForceBold, or "Bold", "Black", "Heavy", "Demi", CMBX, … in its name)
ITALIC: int  # 2
MONO: int  # 4
GENERATED: int  # 8: a space or line end that PDFium inserted; it has no glyph
HYPHEN: int  # 16: a hyphen at a line's end that PDFium holds for a soft one; its code point is given as "-"
UNMAPPED: int  # 32: the font gives no Unicode value for the glyph; the code point is the font's own code
GARBAGE: int  # 64: control, private-use, non-character or U+FFFD: evidently not text
INVISIBLE: int  # 128: text render mode 3 (the hidden text under a scanned page)
FIELD: int  # 256: value of a form field
ANNOTATION: int  # 512: text of a visible annotation (FreeText, stamp)
SUPERSCRIPT: int  # reserved for the layout kernels; the engine never sets it

# Rule kinds, values of `PageArrays.rule_kind`. The box of a stroked line is its centre line, without thickness.
RULE_HORIZONTAL: int  # 0: a line, or a filled or stroked box at most 3 points high and at least 3 times as wide
RULE_VERTICAL: int  # 1
RULE_BOX: int  # 2: a stroked rectangle
RULE_FILL: int  # 3: a filled rectangle without stroke (shading)

# `PageArrays.direction` values: baseline direction as displayed, quarter turns clockwise, give or take 5 degrees;
# OBLIQUE for any other angle.
OBLIQUE: int  # 4

class Font(NamedTuple):
    """One font of the document, as the characters name it by its index; fonts of the same value share an entry."""

    name: str  # base font name without its subset prefix; "" for the font of fields and annotations
    flags: int  # BOLD | ITALIC | MONO
    weight: int  # up to 900; 0 unknown. PDFium computes it from StemV, which is often wrong: go by BOLD
    embedded: bool

class FormText(NamedTuple):
    """One form field's value or one annotation's text."""

    kind: str  # "text", "checkbox", "radio", "choice", "signature", "button", or the annotation's subtype ("FreeText")
    name: str  # the field's full name; "" for annotations
    text: str  # "" when empty; "[x]" or "[ ]" for check boxes and radio buttons
    bbox: tuple[float, float, float, float]
    first_char: int  # index of its first character in the arrays; -1 when it has none there (comments, empty values)
    char_count: int

class Link(NamedTuple):
    bbox: tuple[float, float, float, float]
    uri: str | None
    page: int | None  # 0-based target page of an internal link

class Tag(NamedTuple):
    """One structure element with content on this page, in document order (depth first)."""

    role: str  # "H1", "P", "TD", …: the element's standard type
    depth: int
    mcids: tuple[int, ...]  # marked-content ids it owns directly
    alt: str  # alternate or actual text; ""
    row_span: int
    column_span: int

class PageArrays:
    width: float
    height: float
    rotation: int  # 0, 90, 180, 270
    label: str | None
    count: int  # characters
    codepoint: memoryview  # 'I' [count]: Unicode scalar value (surrogate pairs joined)
    loose: memoryview  # 'f' [4*count]: x0, y0, x1, y1 by the font's ascent and descent
    tight: memoryview  # 'f' [4*count]: of the glyph
    origin: memoryview  # 'f' [2*count]
    font: memoryview  # 'H' [count]: index into Document.fonts
    size: memoryview  # 'f' [count]: as rendered, in points (font size times the text matrix's vertical scale)
    weight: memoryview  # 'H' [count]
    flags: memoryview  # 'H' [count]
    colour: memoryview  # 'I' [count]: 0xRRGGBBAA fill
    direction: memoryview  # 'B' [count]
    mcid: memoryview  # 'i' [count]: marked-content id, -1 for none
    rule_count: int
    rule_box: memoryview  # 'f' [4*rule_count]
    rule_kind: memoryview  # 'B' [rule_count]
    rule_width: memoryview  # 'f' [rule_count]: points: stroke width; a thin filled box's thickness; 0 for RULE_FILL
    rule_colour: memoryview  # 'I' [rule_count]
    image_count: int
    image_box: memoryview  # 'f' [4*image_count]
    image_pixels: memoryview  # 'I' [2*image_count]: width, height of the raster
    links: list[Link]
    form_texts: list[FormText]
    tags: list[Tag]  # empty unless the document is tagged
    paths_skipped: int  # path objects not looked at: behind the first 20,000 objects, or of more than 4,096 segments

class Outline(NamedTuple):
    title: str
    level: int  # from 1
    page: int | None  # 0-based

class Document:
    """An open document. Not safe for threads; one document per process at a time is the intended use."""

    def __init__(self, data: object, password: str | None = None) -> None:
        """Opens a document from a contiguous buffer (an mmap, bytes), which is kept and not copied.

        Raises errors.EmptyDocument, UnsupportedFormat, DamagedDocument, PasswordRequired, PasswordWrong,
        UnsupportedEncryption.
        """
    page_count: int
    tagged: bool
    fonts: list[Font]  # grows as pages are read
    def metadata(self) -> dict[str, str]:
        """Those of Title, Author, Subject, Keywords, Creator, Producer, CreationDate, ModDate, Trapped, Language and
        PDFVersion that the file has, as it has them.
        """
    def outline(self) -> list[Outline]: ...
    def page(self, index: int) -> PageArrays:
        """Reads page `index` (0-based).

        Raises errors.DamagedDocument with `page` set when the engine cannot load it, IndexError outside the document
        and ValueError when it is closed.
        """
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...

def initialise(font_paths: Sequence[str] = ()) -> None:
    """Opens libpdfium (of the pypdfium2 wheel) and initialises it once per process; later calls do nothing.

    `font_paths` are folders in which PDFium looks for fonts that a document does not embed; without any it looks in the
    host's usual ones. Raises errors.NativeMissing when the library, or a function of it, is not there.
    """

def hold_fonts(folders: Sequence[str], bytes_max: int) -> HeldFonts:
    """Takes the fonts under `folders` into memory, so that no font file is opened after this, here or in a fork.

    Once per process; later calls give the first answer. `folders` are those that `initialise` was given, which this
    calls when nobody has. Holds `bytes_max` bytes and host_fonts.FILES_MAX files at most, mapped (the reference:
    copied); a font that does not fit is from then on as if it were not installed. Raises errors.NativeMissing as
    `initialise` does.
    """

def engine_name() -> str:
    """ "pdfium MAJOR.MINOR.BUILD" """
