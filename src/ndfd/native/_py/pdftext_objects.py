"""Rules and images of a page: path and image objects, down into form XObjects."""

from __future__ import annotations

import ctypes
import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

from ndfd.native._py.pdfium import raw
from ndfd.native._py.pdftext_values import (
    RULE_BOX,
    RULE_FILL,
    RULE_HORIZONTAL,
    RULE_VERTICAL,
    Box,
    Matrix,
    box_of,
)

#: Maps and drawings hold a million paths; a table holds some hundred.
OBJECTS_MAX = 20_000
SEGMENTS_MAX = 200_000
PATH_SEGMENTS_MAX = 4_096
FORM_DEPTH_MAX = 16

#: A line may be this far off level, in points, and a box this thin still counts as a line.
LEVEL_TOLERANCE = 0.5
THIN_MAX = 3.0
SHORT_MIN = 1.0

Point = tuple[float, float]


@dataclass(slots=True)
class PageObjects:
    """What was found, as flat arrays in the page's displayed coordinates."""

    width: float
    height: float
    rule_box: array[float] = field(default_factory=lambda: array("f"))
    rule_kind: array[int] = field(default_factory=lambda: array("B"))
    rule_width: array[float] = field(default_factory=lambda: array("f"))
    rule_colour: array[int] = field(default_factory=lambda: array("I"))
    image_box: array[float] = field(default_factory=lambda: array("f"))
    image_pixels: array[int] = field(default_factory=lambda: array("I"))
    paths_skipped: int = 0
    looked_at: int = 0
    segments: int = 0

    def add_rule(self, kind: int, box: Box, width: float, colour: int) -> None:
        if self.outside(box):
            return
        self.rule_kind.append(kind)
        self.rule_box.extend(box)
        self.rule_width.append(width)
        self.rule_colour.append(colour)

    def outside(self, box: Box) -> bool:
        return box[2] < 0 or box[3] < 0 or box[0] > self.width or box[1] > self.height


def read_objects(page: object, frame: Matrix, width: float, height: float) -> PageObjects:
    found = PageObjects(width, height)
    for i in range(raw.FPDFPage_CountObjects(page)):
        _read_object(raw.FPDFPage_GetObject(page, i), frame, found, 0)
    return found


def _read_object(item: object, outer: Matrix, found: PageObjects, depth: int) -> None:
    kind = raw.FPDFPageObj_GetType(item)
    if kind not in (raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_FORM):
        return
    if found.looked_at >= OBJECTS_MAX:
        found.paths_skipped += kind == raw.FPDF_PAGEOBJ_PATH
        return
    found.looked_at += 1
    matrix = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(item, ctypes.byref(matrix)):
        return
    inner = Matrix(matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f).then(outer)
    if kind == raw.FPDF_PAGEOBJ_PATH:
        _read_path(item, inner, found)
    elif kind == raw.FPDF_PAGEOBJ_IMAGE:
        _read_image(item, inner, found)
    elif depth < FORM_DEPTH_MAX:
        for i in range(max(raw.FPDFFormObj_CountObjects(item), 0)):
            _read_object(raw.FPDFFormObj_GetObject(item, i), inner, found, depth + 1)


def _read_image(item: object, matrix: Matrix, found: PageObjects) -> None:
    xs, ys = zip(*(matrix.point(x, y) for x, y in ((0, 0), (1, 0), (0, 1), (1, 1))), strict=True)
    box = box_of(min(xs), min(ys), max(xs), max(ys))
    if found.outside(box):
        return
    width, height = ctypes.c_uint(0), ctypes.c_uint(0)
    raw.FPDFImageObj_GetImagePixelSize(item, ctypes.byref(width), ctypes.byref(height))
    found.image_box.extend(box)
    found.image_pixels.extend((width.value, height.value))


@dataclass(frozen=True, slots=True)
class _Pen:
    """How a path is painted."""

    stroked: bool
    filled: bool
    width: float
    stroke_colour: int
    fill_colour: int


def _pen(item: object, matrix: Matrix) -> _Pen | None:
    fill, stroke = ctypes.c_int(0), ctypes.c_int(0)
    if not raw.FPDFPath_GetDrawMode(item, ctypes.byref(fill), ctypes.byref(stroke)):
        return None
    if not fill.value and not stroke.value:
        return None
    width = ctypes.c_float(0)
    if stroke.value:
        raw.FPDFPageObj_GetStrokeWidth(item, ctypes.byref(width))
    scale = math.sqrt(abs(matrix.a * matrix.d - matrix.b * matrix.c))
    return _Pen(
        bool(stroke.value),
        bool(fill.value),
        width.value * scale,
        colour_of(raw.FPDFPageObj_GetStrokeColor, item) if stroke.value else 0,
        colour_of(raw.FPDFPageObj_GetFillColor, item) if fill.value else 0,
    )


def colour_of(call: Callable[..., int], item: object) -> int:
    """0xRRGGBBAA; opaque black where PDFium has no answer (a pattern)."""
    parts = [ctypes.c_uint(0) for _ in range(4)]
    if not call(item, *(ctypes.byref(part) for part in parts)):
        return 0x000000FF
    r, g, b, a = (part.value & 0xFF for part in parts)
    return r << 24 | g << 16 | b << 8 | a


@dataclass(slots=True)
class _Subpath:
    points: list[Point] = field(default_factory=list)
    curved: list[bool] = field(default_factory=list)  # whether the edge that ends at this point is a curve
    closed: bool = False


def _read_path(item: object, matrix: Matrix, found: PageObjects) -> None:
    count = raw.FPDFPath_CountSegments(item)
    if count > PATH_SEGMENTS_MAX or found.segments + max(count, 0) > SEGMENTS_MAX:
        found.paths_skipped += 1
        return
    pen = _pen(item, matrix)
    if pen is None:
        return
    found.segments += max(count, 0)
    subpath = _Subpath()
    x, y = ctypes.c_float(0), ctypes.c_float(0)
    for i in range(count):
        segment = raw.FPDFPath_GetPathSegment(item, i)
        if not raw.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y)):
            continue
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            _end_subpath(subpath, pen, found)
            subpath = _Subpath()
        subpath.points.append(matrix.point(x.value, y.value))
        subpath.curved.append(kind == raw.FPDF_SEGMENT_BEZIERTO)
        if raw.FPDFPathSegment_GetClose(segment):
            subpath.closed = True
    _end_subpath(subpath, pen, found)


def _end_subpath(subpath: _Subpath, pen: _Pen, found: PageObjects) -> None:
    points, curved = subpath.points, subpath.curved
    count = len(points)
    if count < 2:
        return
    closed = subpath.closed
    closing_curve = False
    if count > 2 and _same(points[0], points[count - 1]):
        closed, closing_curve = True, curved[count - 1]
        count -= 1
    if count == 4 and (closed or pen.filled) and not any(curved[1:4]) and not closing_curve and _is_rectangle(points):
        _add_rectangle(box_of(*points[0], *points[2]), pen, found)
        return
    if not pen.stroked:
        return
    for i in range(1, count):
        if not curved[i]:
            _add_line(points[i - 1], points[i], pen, found)
    if closed and count > 2 and not closing_curve:
        _add_line(points[count - 1], points[0], pen, found)


def _same(p: Point, q: Point) -> bool:
    return abs(p[0] - q[0]) < 0.01 and abs(p[1] - q[1]) < 0.01


def _is_rectangle(p: list[Point]) -> bool:
    across = _level(p[0], p[1]) and _upright(p[1], p[2]) and _level(p[2], p[3]) and _upright(p[3], p[0])
    return across or (_upright(p[0], p[1]) and _level(p[1], p[2]) and _upright(p[2], p[3]) and _level(p[3], p[0]))


def _level(p: Point, q: Point) -> bool:
    return abs(p[1] - q[1]) <= LEVEL_TOLERANCE


def _upright(p: Point, q: Point) -> bool:
    return abs(p[0] - q[0]) <= LEVEL_TOLERANCE


def _add_rectangle(box: Box, pen: _Pen, found: PageObjects) -> None:
    width, height = box[2] - box[0], box[3] - box[1]
    if width < SHORT_MIN and height < SHORT_MIN:
        return
    colour = pen.stroke_colour if pen.stroked else pen.fill_colour
    if height <= THIN_MAX and width >= 3 * height:
        found.add_rule(RULE_HORIZONTAL, box, pen.width if pen.stroked else height, colour)
    elif width <= THIN_MAX and height >= 3 * width:
        found.add_rule(RULE_VERTICAL, box, pen.width if pen.stroked else width, colour)
    elif pen.stroked:
        found.add_rule(RULE_BOX, box, pen.width, colour)
    else:
        found.add_rule(RULE_FILL, box, 0.0, colour)


def _add_line(p: Point, q: Point, pen: _Pen, found: PageObjects) -> None:
    box = box_of(*p, *q)
    width, height = box[2] - box[0], box[3] - box[1]
    if height <= LEVEL_TOLERANCE and width >= SHORT_MIN and width >= 3 * height:
        found.add_rule(RULE_HORIZONTAL, box, pen.width, pen.stroke_colour)
    elif width <= LEVEL_TOLERANCE and height >= SHORT_MIN and height >= 3 * width:
        found.add_rule(RULE_VERTICAL, box, pen.width, pen.stroke_colour)
