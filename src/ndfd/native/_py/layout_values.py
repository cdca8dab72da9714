"""What the layout kernel hands over and what its stages hand each other; `_c/layout.pyi` says what each field means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ndfd.native._py.layout_characters import mapped

#: Bits of the engine's character flags.
BOLD, ITALIC, MONO, GENERATED, HYPHEN, GARBAGE, INVISIBLE, FIELD, ANNOTATION = 1, 2, 4, 8, 16, 64, 128, 256, 512
STYLE = BOLD | ITALIC | MONO
SOURCE = FIELD | ANNOTATION

#: Bits of a word's flags.
WORD_SPACE, WORD_RTL, WORD_MATH = 8, 16, 32

#: Bits of a block's flags.
TABULAR, RTL, NORMALISE, CENTRED, FIRST_IN_LEAF = 8, 16, 32, 64, 1024

BULLET, NUMBER = 1, 2


class Word(NamedTuple):
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
    flags: int
    direction: int
    frame: int
    link: int


class Fragment(NamedTuple):
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
    left: float
    right: float
    chars: int
    math: int
    font: int
    flags: int
    marker: int
    marker_chars: int
    first_row: int
    rows: int
    frame: int
    group: int
    direction: int
    mcid: int


class Run(NamedTuple):
    start: int
    end: int
    style: int
    link: int
    block: int


@dataclass(slots=True)
class OpenWord:
    """A word while the stages work on it."""

    first: int
    x0: float
    y0: float
    x1: float
    y1: float
    u0: float
    u1: float
    base: float
    size: float
    font: int
    flags: int
    direction: int
    frame: int
    mcid: int
    count: int = 0
    chars: int = 0
    link: int = -1


@dataclass(slots=True)
class OpenFragment:
    """Words of one baseline, or (`group` >= 0) the place of a group of frames."""

    words: list[int]
    u0: float = 0.0
    u1: float = 0.0
    v0: float = 0.0
    v1: float = 0.0
    base: float = 0.0
    size: float = 0.0
    chars: int = 0
    main_chars: int = 0
    flags: int = 0
    frame: int = -1
    group: int = -1
    direction: int = 0
    text_start: int = 0
    text_end: int = 0


@dataclass(slots=True)
class OpenRow:
    first: int
    count: int
    frame: int
    u0: float = 0.0
    u1: float = 0.0
    base: float = 0.0
    size: float = 0.0
    first_word: float = 0.0
    chars: int = 0
    bold: int = 0
    mono: int = 0
    flags: int = 0
    marker: int = 0
    marker_chars: int = 0
    text_start: int = 0
    text_end: int = 0


@dataclass(slots=True)
class OpenBlock:
    first_row: int
    frame: int
    group: int
    direction: int
    rows: int = 0
    x0: float = 0.0
    y0: float = 0.0
    x1: float = 0.0
    y1: float = 0.0
    size: float = 0.0
    left: float = 0.0
    right: float = 0.0
    chars: int = 0
    bold: int = 0
    italic: int = 0
    mono: int = 0
    math: int = 0
    font: int = 0
    flags: int = 0
    marker: int = 0
    marker_chars: int = 0
    mcid: int = -1
    text_start: int = 0
    text_end: int = 0


@dataclass(slots=True)
class Page:
    """The input as lists, and what each stage adds; see ext/layout_impl.h."""

    codepoint: list[int]
    loose: list[float]
    origin: list[float]
    size: list[float]
    font: list[int]
    char_flags: list[int]
    direction: list[int]
    mcid: list[int]
    math_font: bytes
    frame_box: list[float]
    frame_group: list[int]
    link_box: list[float]
    words: list[OpenWord] = field(default_factory=list)
    fragments: list[OpenFragment] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    leaf_start: list[int] = field(default_factory=list)
    rows: list[OpenRow] = field(default_factory=list)
    blocks: list[OpenBlock] = field(default_factory=list)
    runs: list[list[int]] = field(default_factory=list)
    text: list[int] = field(default_factory=list)
    garbage: int = 0
    visible: int = 0
    invisible: int = 0
    main_direction: int = 0
    em: float = 1.0

    def at(self, place: int) -> OpenFragment:
        """The fragment at a place of the order."""
        return self.fragments[self.order[place]]

    def code(self, i: int) -> int:
        """Character `i` as text."""
        return mapped(self.codepoint[i], self.char_flags[i])
