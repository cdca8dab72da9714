"""What the page-array seam hands over: flags, small values, the arrays of a page; `_c/pdftext.pyi` describes them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

BOLD = 1
ITALIC = 2
MONO = 4
GENERATED = 8
HYPHEN = 16
UNMAPPED = 32
GARBAGE = 64
INVISIBLE = 128
FIELD = 256
ANNOTATION = 512
SUPERSCRIPT = 1024

RULE_HORIZONTAL = 0
RULE_VERTICAL = 1
RULE_BOX = 2
RULE_FILL = 3

OBLIQUE = 4

Box = tuple[float, float, float, float]

#: Coordinates are held within this, and what is no number becomes its negative, so that whatever a damaged file says,
#: what comes behind the seam may compute with every value. PDF itself allows 14,400 points (ISO 32000-1, annex C).
COORDINATE_MAX = 1e6


class Font(NamedTuple):
    name: str
    flags: int
    weight: int
    embedded: bool


class FormText(NamedTuple):
    kind: str
    name: str
    text: str
    bbox: Box
    first_char: int
    char_count: int


class Link(NamedTuple):
    bbox: Box
    uri: str | None
    page: int | None


class Tag(NamedTuple):
    role: str
    depth: int
    mcids: tuple[int, ...]
    alt: str
    row_span: int
    column_span: int


class Outline(NamedTuple):
    title: str
    level: int
    page: int | None


class Matrix(NamedTuple):
    """x' = a x + c y + e, y' = b x + d y + f (ISO 32000-1, 8.3.3)."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    def then(self, outer: Matrix) -> Matrix:
        return Matrix(
            self.a * outer.a + self.b * outer.c,
            self.a * outer.b + self.b * outer.d,
            self.c * outer.a + self.d * outer.c,
            self.c * outer.b + self.d * outer.d,
            self.e * outer.a + self.f * outer.c + outer.e,
            self.e * outer.b + self.f * outer.d + outer.f,
        )

    def point(self, x: float, y: float) -> tuple[float, float]:
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f


class Frame(NamedTuple):
    """From a page's user space to points from its displayed top left.

    After a swap for a page on its side, x' = sx x + ox and y' = sy y + oy with sx and sy of 1 or -1.
    """

    swap: bool
    sx: float
    ox: float
    sy: float
    oy: float

    def point(self, x: float, y: float) -> tuple[float, float]:
        if self.swap:
            x, y = y, x
        return within(self.sx * x + self.ox), within(self.sy * y + self.oy)

    def box(self, x0: float, y0: float, x1: float, y1: float) -> Box:
        """The upright box of two opposite corners."""
        return box_of(*self.point(x0, y0), *self.point(x1, y1))

    def matrix(self) -> Matrix:
        if self.swap:
            return Matrix(0, self.sy, self.sx, 0, self.ox, self.oy)
        return Matrix(self.sx, 0, 0, self.sy, self.ox, self.oy)


def within(value: float) -> float:
    """Held to the range of coordinates; never a negative zero."""
    return min(COORDINATE_MAX, max(-COORDINATE_MAX, value + 0.0))


def box_of(xa: float, ya: float, xb: float, yb: float) -> Box:
    xa, ya, xb, yb = within(xa), within(ya), within(xb), within(yb)
    return (min(xa, xb), min(ya, yb), max(xb, xa), max(yb, ya))


def single(value: float) -> float:
    """The value rounded to single precision, as it stands in the arrays."""
    return array("f", (value,))[0]


def single_box(box: Box) -> Box:
    return single(box[0]), single(box[1]), single(box[2]), single(box[3])


def _view(typecode: str) -> memoryview:
    return memoryview(array(typecode)).toreadonly()


@dataclass(slots=True)
class PageArrays:
    width: float
    height: float
    rotation: int
    label: str | None = None
    count: int = 0
    codepoint: memoryview = field(default_factory=lambda: _view("I"))
    loose: memoryview = field(default_factory=lambda: _view("f"))
    tight: memoryview = field(default_factory=lambda: _view("f"))
    origin: memoryview = field(default_factory=lambda: _view("f"))
    font: memoryview = field(default_factory=lambda: _view("H"))
    size: memoryview = field(default_factory=lambda: _view("f"))
    weight: memoryview = field(default_factory=lambda: _view("H"))
    flags: memoryview = field(default_factory=lambda: _view("H"))
    colour: memoryview = field(default_factory=lambda: _view("I"))
    direction: memoryview = field(default_factory=lambda: _view("B"))
    mcid: memoryview = field(default_factory=lambda: _view("i"))
    rule_count: int = 0
    rule_box: memoryview = field(default_factory=lambda: _view("f"))
    rule_kind: memoryview = field(default_factory=lambda: _view("B"))
    rule_width: memoryview = field(default_factory=lambda: _view("f"))
    rule_colour: memoryview = field(default_factory=lambda: _view("I"))
    image_count: int = 0
    image_box: memoryview = field(default_factory=lambda: _view("f"))
    image_pixels: memoryview = field(default_factory=lambda: _view("I"))
    links: list[Link] = field(default_factory=list)
    form_texts: list[FormText] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    paths_skipped: int = 0
