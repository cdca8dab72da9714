"""The layout kernel: the flat arrays of a page -> words, rows and blocks in reading order, with their text.

Two implementations give the same values: `_c` (ext/layout*) and `_py` (the reference). Geometry is in points as
displayed; `u` runs along the text and `base` across it, towards the next line (for text that runs from left to right
they are x and y).
"""

from collections.abc import Buffer  # type: ignore[attr-defined,unused-ignore]  # of 3.12 and newer; a stub never runs
from typing import Any, NamedTuple

# Bits of `Block.flags`, beside pdftext's BOLD, ITALIC, MONO, INVISIBLE, FIELD and ANNOTATION.
TABULAR: int  # 8: rows with gaps, in company; fragments are parted by tabs and rows by line ends in the text
RTL: int  # 16: holds text that runs from right to left
NORMALISE: int  # 32: holds characters that may not be in NFC
CENTRED: int  # 64: rows of different length about one middle
FIRST_IN_LEAF: int  # 1024: begins a column or a band of the page

# Values of `Block.marker`; 0 for none.
BULLET: int
NUMBER: int

# Of rules, in points.
SAME_LINE: float  # two level or two upright lines so near are one (double lines)
TOUCH: float  # lines cross, and pieces of one are joined, over gaps up to this
ROW_MIN: float  # the least height of a grid's row, and length of a line
COLUMN_MIN: float
PIECES_MAX: int  # a page with more pieces of lines is a drawing, not tables

# Position, start, end of a level or an upright line.
Line = tuple[float, float, float]

class Word(NamedTuple):
    """Characters of one word: those from `first` on, `length` of them, `chars` of which are text."""

    first: int
    length: int
    chars: int
    x0: float
    y0: float
    x1: float
    y1: float
    base: float
    size: float
    font: int
    flags: (
        int  # BOLD, ITALIC, MONO, INVISIBLE, FIELD, ANNOTATION; 8: a space stands before it; 16: RTL; 32: mathematics
    )
    direction: int
    frame: int  # -1: in none
    link: int  # -1: none

class Fragment(NamedTuple):
    """Words of one row with ordinary gaps between them."""

    text_start: int
    text_end: int
    u0: float
    u1: float
    base: float
    size: float

class Row(NamedTuple):
    text_start: int
    text_end: int
    u0: float
    u1: float
    base: float
    size: float
    chars: int
    first_fragment: int
    fragments: int

class Block(NamedTuple):
    text_start: int
    text_end: int
    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    left: float  # of the rows it stands among, along the text
    right: float
    chars: int
    math: int  # characters in fonts of mathematics
    font: int
    flags: int
    marker: int
    marker_chars: int
    first_row: int
    rows: int
    frame: int  # -1, or the frame whose text it is
    group: int
    direction: int
    mcid: int  # marked content of its first word; -1

class Run(NamedTuple):
    """Text in another style than its block's, or under a link."""

    start: int
    end: int
    style: int
    link: int
    block: int

class Layout:
    text: str
    blocks: list[Block]  # in reading order; those of a group's frames one after another, by frame
    runs: list[Run]  # ascending
    garbage: int  # characters that became U+FFFD
    visible: int
    invisible: int
    em: float  # size of most characters
    main_direction: int
    def words(self) -> list[Word]: ...
    def rows(self, first: int, count: int) -> list[Row]: ...
    def fragments(self, first: int, count: int) -> list[Fragment]: ...

def analyse(
    arrays: Any,
    math_fonts: Buffer = b"",
    frames: Buffer | None = None,
    groups: Buffer | None = None,
    links: Buffer | None = None,
) -> Layout:
    """Lays out a `pdftext.PageArrays`.

    `math_fonts` holds 1 for each font of mathematics; `frames` ('f', four each) are boxes whose text is kept together
    and apart from all else, as a table's cells, those of one of the ascending `groups` ('i') being one thing in the
    reading order; `links` ('f', four each) are the boxes of links. Raises ValueError when the arrays differ in length.
    """

def connected_rules(arrays: Any) -> list[tuple[list[Line], list[Line]]]:
    """The level and the upright lines of each group of lines that cross, two level ones and an upright one at least.

    Pieces of one line are joined first. Lines are in order of their places, to within SAME_LINE; groups in that of
    their first level line. None on a page with more than PIECES_MAX pieces.
    """

def count_garbage(arrays: Any) -> list[tuple[int, int, int]]:
    """Font, characters that are evidently no text, all characters: for each font with some; without white space."""
