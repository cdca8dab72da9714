# cython: language_level=3, boundscheck=False, wraparound=False
"""The compiled layout kernel: see layout_impl.h for its stages and native/_c/layout.pyi for what it promises."""

from collections import namedtuple

from cpython.unicode cimport PyUnicode_FromKindAndData
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memset

cdef extern from "Python.h":
    int PyUnicode_4BYTE_KIND

cdef extern from "layout_impl.h":
    ctypedef struct lay_word:
        int32_t first, count, chars, font, flags, frame, link, next, mcid, direction
        double x0, y0, x1, y1, u0, u1, base, size

    ctypedef struct lay_fragment:
        int32_t first, last, words, chars, flags, frame, group, direction, text_start, text_end
        double u0, u1, v0, v1, base, size

    ctypedef struct lay_row:
        int32_t first, count, chars, bold, mono, flags, marker, marker_chars, block, leaf, frame, text_start, text_end
        double u0, u1, base, size

    ctypedef struct lay_block:
        int32_t first_row, rows, chars, bold, italic, mono, math, font, flags, marker, marker_chars
        int32_t frame, group, direction, mcid, text_start, text_end
        double x0, y0, x1, y1, size, left, right

    ctypedef struct lay_run:
        int32_t start, end, style, link, block

    ctypedef struct lay_page:
        int32_t count, frame_count, link_count, math_count
        const uint32_t *codepoint
        const float *loose
        const float *origin
        const float *size
        const uint16_t *font
        const uint16_t *flags
        const uint8_t *direction
        const int32_t *mcid
        const float *frame_box
        const int32_t *frame_group
        const float *link_box
        const uint8_t *math_font
        lay_word *words
        lay_fragment *fragments
        int32_t *fragment_order
        lay_row *rows
        lay_block *blocks
        lay_run *runs
        uint32_t *text
        int32_t word_count, fragment_count, row_count, block_count, run_count, text_count
        int32_t garbage, visible, invisible, main_direction
        double em

    ctypedef struct lay_line:
        double position, start, end
        int32_t group

    ctypedef struct lay_rules:
        double width, height
        int32_t rule_count
        const float *box
        const uint8_t *kind
        lay_line *levels
        lay_line *uprights
        int32_t level_count, upright_count, group_count

    double LAY_SAME_LINE, LAY_TOUCH, LAY_ROW_MIN, LAY_COLUMN_MIN
    int LAY_PIECES_MAX

    int lay_connect_rules(lay_rules *) nogil
    void lay_free_rules(lay_rules *) nogil
    int lay_find_words(lay_page *) nogil
    int lay_find_fragments(lay_page *) nogil
    int lay_find_order(lay_page *) nogil
    int lay_find_blocks(lay_page *) nogil
    int lay_write_text(lay_page *) nogil
    void lay_free(lay_page *) nogil


#: Bits of `Block.flags`, beside the engine's BOLD, ITALIC, MONO, INVISIBLE, FIELD and ANNOTATION.
TABULAR = 8
RTL = 16
NORMALISE = 32
CENTRED = 64
FIRST_IN_LEAF = 1024

#: Values of `Block.marker`.
BULLET = 1
NUMBER = 2

SAME_LINE = LAY_SAME_LINE
TOUCH = LAY_TOUCH
ROW_MIN = LAY_ROW_MIN
COLUMN_MIN = LAY_COLUMN_MIN
PIECES_MAX = LAY_PIECES_MAX

Line = tuple

Word = namedtuple("Word", "first length chars x0 y0 x1 y1 base size font flags direction frame link")
Fragment = namedtuple("Fragment", "text_start text_end u0 u1 base size")
Row = namedtuple("Row", "text_start text_end u0 u1 base size chars first_fragment fragments")
Block = namedtuple(
    "Block",
    "text_start text_end x0 y0 x1 y1 size left right chars math font flags marker marker_chars first_row rows frame group"
    " direction mcid",
)
Run = namedtuple("Run", "start end style link block")

cdef object new_tuple = tuple.__new__


cdef class Layout:
    cdef lay_page page
    cdef readonly str text
    cdef readonly list blocks
    cdef readonly list runs

    def __cinit__(self):
        memset(&self.page, 0, sizeof(lay_page))

    def __dealloc__(self):
        lay_free(&self.page)

    @property
    def garbage(self):
        return self.page.garbage

    @property
    def visible(self):
        return self.page.visible

    @property
    def invisible(self):
        return self.page.invisible

    @property
    def em(self):
        return self.page.em

    @property
    def main_direction(self):
        return self.page.main_direction

    def words(self):
        cdef lay_word *w
        cdef int32_t k
        result = []
        for k in range(self.page.word_count):
            w = &self.page.words[k]
            result.append(new_tuple(Word, (w.first, w.count, w.chars, w.x0, w.y0, w.x1, w.y1, w.base, w.size, w.font,
                                           w.flags, w.direction, w.frame, w.link)))
        return result

    def rows(self, int32_t first, int32_t count):
        cdef lay_row *r
        cdef int32_t k
        if first < 0 or count < 0 or count > self.page.row_count - first:
            raise IndexError("no such rows")
        result = []
        for k in range(first, first + count):
            r = &self.page.rows[k]
            result.append(new_tuple(Row, (r.text_start, r.text_end, r.u0, r.u1, r.base, r.size, r.chars, r.first, r.count)))
        return result

    def fragments(self, int32_t first, int32_t count):
        cdef lay_fragment *f
        cdef int32_t k
        if first < 0 or count < 0 or count > self.page.fragment_count - first:
            raise IndexError("no such fragments")
        result = []
        for k in range(first, first + count):
            f = &self.page.fragments[self.page.fragment_order[k]]
            result.append(new_tuple(Fragment, (f.text_start, f.text_end, f.u0, f.u1, f.base, f.size)))
        return result

    cdef finish(self):
        cdef lay_page *p = &self.page
        cdef lay_block *b
        cdef lay_run *r
        cdef int32_t k
        self.text = PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, p.text, p.text_count) if p.text_count else ""
        self.blocks = []
        for k in range(p.block_count):
            b = &p.blocks[k]
            self.blocks.append(new_tuple(Block, (
                b.text_start, b.text_end, b.x0, b.y0, b.x1, b.y1, b.size, b.left, b.right, b.chars, b.math, b.font, b.flags,
                b.marker, b.marker_chars, b.first_row, b.rows, b.frame, b.group, b.direction, b.mcid)))
        self.runs = []
        for k in range(p.run_count):
            r = &p.runs[k]
            self.runs.append(new_tuple(Run, (r.start, r.end, r.style, r.link, r.block)))


cdef const uint32_t *as_u32(const uint32_t[::1] view) noexcept:
    return &view[0] if view.shape[0] else NULL


cdef const float *as_f32(const float[::1] view) noexcept:
    return &view[0] if view.shape[0] else NULL


cdef const uint16_t *as_u16(const uint16_t[::1] view) noexcept:
    return &view[0] if view.shape[0] else NULL


cdef const uint8_t *as_u8(const uint8_t[::1] view) noexcept:
    return &view[0] if view.shape[0] else NULL


cdef const int32_t *as_i32(const int32_t[::1] view) noexcept:
    return &view[0] if view.shape[0] else NULL


def count_garbage(arrays):
    cdef const uint32_t[::1] codepoint = arrays.codepoint
    cdef const uint16_t[::1] font = arrays.font
    cdef const uint16_t[::1] flags = arrays.flags
    cdef Py_ssize_t i
    cdef int32_t counts[65536][2]
    if font.shape[0] != codepoint.shape[0] or flags.shape[0] != codepoint.shape[0]:
        raise ValueError("the arrays of a page differ in length")
    memset(counts, 0, sizeof(counts))
    for i in range(codepoint.shape[0]):
        if flags[i] & 8 or codepoint[i] == 0x20:
            continue
        counts[font[i]][1] += 1
        if flags[i] & 64:
            counts[font[i]][0] += 1
    return [(i, counts[i][0], counts[i][1]) for i in range(65536) if counts[i][0]]


def analyse(arrays, const uint8_t[::1] math_fonts=b"", const float[::1] frames=None, const int32_t[::1] groups=None,
            const float[::1] links=None):
    cdef Layout layout = Layout()
    cdef lay_page *p = &layout.page
    cdef const uint32_t[::1] codepoint = arrays.codepoint
    cdef const float[::1] loose = arrays.loose
    cdef const float[::1] origin = arrays.origin
    cdef const float[::1] size = arrays.size
    cdef const uint16_t[::1] font = arrays.font
    cdef const uint16_t[::1] flags = arrays.flags
    cdef const uint8_t[::1] direction = arrays.direction
    cdef const int32_t[::1] mcid = arrays.mcid
    cdef Py_ssize_t n = codepoint.shape[0]
    cdef int failed
    # The arrays come from another module: their lengths are checked before a pointer is made of any.
    if (loose.shape[0] != 4 * n or origin.shape[0] != 2 * n or size.shape[0] != n or font.shape[0] != n
            or flags.shape[0] != n or direction.shape[0] != n or mcid.shape[0] != n or n > 100_000_000):
        raise ValueError("the arrays of a page differ in length")
    p.count = <int32_t> n
    p.codepoint, p.loose, p.origin, p.size = as_u32(codepoint), as_f32(loose), as_f32(origin), as_f32(size)
    p.font, p.flags, p.direction, p.mcid = as_u16(font), as_u16(flags), as_u8(direction), as_i32(mcid)
    p.math_count, p.math_font = <int32_t> math_fonts.shape[0], as_u8(math_fonts)
    if frames is not None and groups is not None:
        if frames.shape[0] != 4 * groups.shape[0]:
            raise ValueError("each frame needs four coordinates and a group")
        p.frame_count, p.frame_box, p.frame_group = <int32_t> groups.shape[0], as_f32(frames), as_i32(groups)
    if links is not None:
        p.link_count, p.link_box = <int32_t> (links.shape[0] // 4), as_f32(links)
    with nogil:
        failed = (lay_find_words(p) or lay_find_fragments(p) or lay_find_order(p) or lay_find_blocks(p)
                  or lay_write_text(p))
    # The input is the caller's: nothing of it is used behind this line.
    p.codepoint = NULL
    p.loose = NULL
    p.origin = NULL
    p.size = NULL
    if failed:
        raise MemoryError
    layout.finish()
    return layout


cdef connected(lay_rules *r):
    cdef lay_line *line
    cdef int32_t k
    groups = [([], []) for k in range(r.group_count)]
    for k in range(r.level_count if r.group_count else 0):
        line = &r.levels[k]
        (<list> (<tuple> groups[line.group])[0]).append((line.position, line.start, line.end))
    for k in range(r.upright_count if r.group_count else 0):
        line = &r.uprights[k]
        if line.group >= 0:
            (<list> (<tuple> groups[line.group])[1]).append((line.position, line.start, line.end))
    return [group for group in groups if len(group[0]) >= 2 and group[1]]


def connected_rules(arrays):
    cdef const float[::1] box = arrays.rule_box
    cdef const uint8_t[::1] kind = arrays.rule_kind
    cdef lay_rules r
    if box.shape[0] != 4 * kind.shape[0] or kind.shape[0] > 100_000_000:
        raise ValueError("the arrays of a page differ in length")
    memset(&r, 0, sizeof(lay_rules))
    r.width, r.height = arrays.width, arrays.height
    r.rule_count, r.box, r.kind = <int32_t> kind.shape[0], as_f32(box), as_u8(kind)
    try:
        if lay_connect_rules(&r):
            raise MemoryError
        return connected(&r)
    finally:
        lay_free_rules(&r)
