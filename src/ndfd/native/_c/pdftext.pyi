"""The page-array seam: what ext/pdftext (compiled) and native/_py/pdftext (reference) both give, value for value.

A page is a structure of flat arrays, so that nothing behind the seam knows which engine filled them, and no object per
character is ever made. Every array is a contiguous, read-only, one-dimensional memoryview that keeps its memory alive.

Coordinates are points from the top left of the page as displayed (after CropBox and /Rotate), single precision,
x0 <= x1 and y0 <= y1. Characters come in PDFium's text-page order; the text of form fields and of visible annotations is
appended after them as characters of its own (flag `FIELD` or `ANNOTATION`), one run after another, laid out
evenly inside the widget's rectangle.
"""

from collections.abc import Sequence

# Character flags, bits of `PageArrays.flags`.
BOLD: int  # 1: the font says so (weight >= 600, ForceBold, or "Bold", "Black", "Heavy" in its name)
ITALIC: int  # 2
MONO: int  # 4
GENERATED: int  # 8: a space or line end that PDFium inserted; it has no glyph
HYPHEN: int  # 16: a hyphen at a line's end that PDFium holds for a soft one
UNMAPPED: int  # 32: the font gives no Unicode value for the glyph
GARBAGE: int  # 64: control, private-use, non-character or U+FFFD: evidently not text
INVISIBLE: int  # 128: text render mode 3 (the hidden text under a scanned page)
FIELD: int  # 256: value of a form field
ANNOTATION: int  # 512: text of a visible annotation (FreeText, stamp)
SUPERSCRIPT: int  # reserved for the layout kernels; the engine never sets it

# Rule kinds, values of `PageArrays.rule_kind`.
RULE_HORIZONTAL: int  # 0: a line, or a filled or stroked box at most 3 points high and at least 3 times as wide
RULE_VERTICAL: int  # 1
RULE_BOX: int  # 2: a stroked rectangle
RULE_FILL: int  # 3: a filled rectangle without stroke (shading)

# `PageArrays.direction` values: baseline direction as displayed, quarter turns clockwise; OBLIQUE for any other angle.
OBLIQUE: int  # 4

class Font:
    """One font of the document, as the characters name it by its index."""

    name: str  # base font name without its subset prefix
    flags: int  # BOLD | ITALIC | MONO
    weight: int  # 100..900; 0 unknown
    embedded: bool

class FormText:
    """One form field's value or one annotation's text."""

    kind: str  # "text", "checkbox", "radio", "choice", "signature", "button", or the annotation's subtype ("FreeText")
    name: str  # the field's full name; "" for annotations
    text: str  # "" when empty; "[x]" or "[ ]" for check boxes and radio buttons
    bbox: tuple[float, float, float, float]
    first_char: int  # index of its first character in the arrays; -1 when it has none there (comments, empty values)
    char_count: int

class Link:
    bbox: tuple[float, float, float, float]
    uri: str | None
    page: int | None  # 0-based target page of an internal link

class Tag:
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
    rule_width: memoryview  # 'f' [rule_count]: stroke width, points
    rule_colour: memoryview  # 'I' [rule_count]
    image_count: int
    image_box: memoryview  # 'f' [4*image_count]
    image_pixels: memoryview  # 'I' [2*image_count]: width, height of the raster
    links: list[Link]
    form_texts: list[FormText]
    tags: list[Tag]  # empty unless the document is tagged
    paths_skipped: int  # path objects not looked at because the page has more than the cap

class Outline:
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
    def metadata(self) -> dict[str, str]: ...
    def outline(self) -> list[Outline]: ...
    def page(self, index: int) -> PageArrays:
        """Reads page `index` (0-based). Raises errors.DamagedDocument with `page` set when the engine cannot load it."""
    def close(self) -> None: ...
    def __enter__(self) -> Document: ...
    def __exit__(self, *exc: object) -> None: ...

def initialise(font_paths: Sequence[str] = ()) -> None:
    """Opens libpdfium (of the pypdfium2 wheel) and initialises it once per process; later calls do nothing."""

def engine_name() -> str:
    """ "pdfium MAJOR.MINOR.BUILD" """
