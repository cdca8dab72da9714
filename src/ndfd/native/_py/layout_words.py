"""Characters -> words; the rules and their reasons stand in ext/layout_words_impl.c."""

from __future__ import annotations

from ndfd.native._py.layout_characters import is_dropped, is_rtl, is_space, mapped
from ndfd.native._py.layout_values import (
    BOLD,
    INVISIBLE,
    ITALIC,
    MONO,
    SOURCE,
    WORD_MATH,
    WORD_RTL,
    WORD_SPACE,
    OpenWord,
    Page,
)

GAP_BREAK, GAP_SPACE, JUMP_BREAK, BASE_BREAK, DOUBLED, SIZE_BREAK = 0.28, 0.15, 0.5, 0.1, 0.1, 0.87
TALL_BOX, ASCENT, DESCENT, FAR = 2.5, 0.75, 0.22, 1e6
LINK_WORK = 4_000_000

#: x0, y0, x1, y1, u0, u1, base, size
Glyph = tuple[float, float, float, float, float, float, float, float]


class _Tally:
    def __init__(self) -> None:
        self.bold = self.italic = self.mono = self.math = self.rtl = self.invisible = 0


def _sane(v: float) -> float:
    if v != v:
        return 0.0
    return -FAR if v < -FAR else min(v, FAR)


def _read_glyph(page: Page, i: int) -> Glyph:
    ox, oy = _sane(page.origin[2 * i]), _sane(page.origin[2 * i + 1])
    x0, y0, x1, y1 = (_sane(v) for v in page.loose[4 * i : 4 * i + 4])
    if x1 < x0:
        x0, x1 = x1, x0
    if y1 < y0:
        y0, y1 = y1, y0
    size = _sane(page.size[i])
    if not size > 0:
        size = 0.8 * (y1 - y0) if y1 - y0 > 0 else 1.0
    match page.direction[i]:
        case 1:
            return x0, y0, x1, y1, y0, y1, -ox, size
        case 2:
            return x0, y0, x1, y1, -x1, -x0, -oy, size
        case 3:
            return x0, y0, x1, y1, -y1, -y0, ox, size
    if not y1 > y0 or y1 - y0 > TALL_BOX * size:
        y0, y1 = oy - ASCENT * size, oy + DESCENT * size
    return x0, y0, x1, y1, x0, x1, oy, size


def _within(page: Page, frame: int, glyph: Glyph) -> bool:
    x, y = 0.5 * (glyph[0] + glyph[2]), 0.5 * (glyph[1] + glyph[3])
    x0, y0, x1, y1 = page.frame_box[4 * frame : 4 * frame + 4]
    return x0 <= x < x1 and y0 <= y < y1


def _find_frame(page: Page, glyph: Glyph, last: int) -> int:
    count = len(page.frame_group)
    for k in range(count):
        frame = (last + k) % count
        if _within(page, frame, glyph):
            return frame
    return -1


def _same_spot(page: Page, i: int) -> bool:
    """The engine gives each letter of a ligature the ligature's own place."""
    return i > 0 and page.origin[2 * i : 2 * i + 2] == page.origin[2 * i - 2 : 2 * i]


def _word_break(page: Page, word: OpenWord, glyph: Glyph, i: int) -> int:
    """0: the glyph goes on with the word; 1: it begins another; 2: another, after a space."""
    _, _, _, _, u0, u1, base, size = glyph
    scale, small = max(size, word.size), min(size, word.size)
    if (
        page.direction[i] != word.direction
        or (page.char_flags[i] ^ word.flags) & SOURCE
        or (word.frame >= 0 and not _within(page, word.frame, glyph))
    ):
        return 1
    gap = u0 - word.u1
    if word.flags & WORD_RTL and is_rtl(page.codepoint[i]):
        gap = word.u0 - u1
    if word.direction == 4 or (word.first + word.count == i and _same_spot(page, i)):
        return 0
    if gap > GAP_BREAK * scale:
        return 2
    if (
        gap < -JUMP_BREAK * scale
        or base - word.base > BASE_BREAK * scale
        or word.base - base > BASE_BREAK * scale
        or small < SIZE_BREAK * scale
    ):
        return 2 if gap > GAP_SPACE * scale else 1
    return 0


def _close(word: OpenWord, tally: _Tally) -> None:
    half = word.chars // 2
    if tally.math > half:
        word.flags |= WORD_MATH
    elif tally.italic > half:
        word.flags |= ITALIC
    if tally.bold > half and not word.flags & WORD_MATH:
        word.flags |= BOLD
    if tally.mono > half:
        word.flags |= MONO
    word.flags = word.flags | WORD_RTL if tally.rtl > half else word.flags & ~WORD_RTL
    if tally.invisible > half:
        word.flags |= INVISIBLE


def _add(page: Page, word: OpenWord, tally: _Tally, glyph: Glyph, i: int) -> None:
    flags = page.char_flags[i]
    word.x0, word.y0 = min(word.x0, glyph[0]), min(word.y0, glyph[1])
    word.x1, word.y1 = max(word.x1, glyph[2]), max(word.y1, glyph[3])
    word.u0, word.u1 = min(word.u0, glyph[4]), max(word.u1, glyph[5])
    word.count = i + 1 - word.first
    word.chars += 1
    tally.bold += flags & BOLD != 0
    tally.italic += flags & ITALIC != 0
    tally.mono += flags & MONO != 0
    tally.invisible += flags & INVISIBLE != 0
    font = page.font[i]
    tally.math += font < len(page.math_font) and page.math_font[font] != 0
    if is_rtl(page.codepoint[i]):
        tally.rtl += 1
        word.flags |= WORD_RTL


def _open(page: Page, glyph: Glyph, i: int, space: bool, frame: int) -> OpenWord:
    flags = (page.char_flags[i] & SOURCE) | (WORD_SPACE if space else 0)
    word = OpenWord(i, *glyph, page.font[i], flags, min(page.direction[i], 4), frame, page.mcid[i])
    page.words.append(word)
    return word


def _is_doubled(page: Page, i: int, size: float) -> bool:
    du = _sane(page.origin[2 * i]) - _sane(page.origin[2 * i - 2])
    dv = _sane(page.origin[2 * i + 1]) - _sane(page.origin[2 * i - 1])
    near = DOUBLED * size
    return -near < du < near and -near < dv < near and (du != 0 or dv != 0)


def _main_size(page: Page) -> float:
    mass = [0] * 256
    for word in page.words:
        mass[int(max(0.0, min(word.size * 2.0 + 0.5, 255.0)))] += word.chars
    best = 0
    for k in range(1, 256):
        if mass[k] > mass[best]:
            best = k
    return best * 0.5 if best else 1.0


def _place_links(page: Page) -> None:
    work = 0
    for link in range(len(page.link_box) // 4):
        if work >= LINK_WORK:
            return
        work += len(page.words)
        x0, y0, x1, y1 = page.link_box[4 * link : 4 * link + 4]
        for word in page.words:
            x, y = 0.5 * (word.x0 + word.x1), 0.5 * (word.y0 + word.y1)
            if x0 <= x <= x1 and y0 <= y <= y1:
                word.link = link


def find_words(page: Page) -> None:
    _split(page)
    turns = [0] * 5
    for word in page.words:
        turns[word.direction] += word.chars
    for i in range(1, 5):
        if turns[i] > turns[page.main_direction]:
            page.main_direction = i
    page.em = _main_size(page)
    _place_links(page)


def _split(page: Page) -> None:
    frame, space = 0, True
    word: OpenWord | None = None
    tally = _Tally()
    for i, raw in enumerate(page.codepoint):
        code = mapped(raw, page.char_flags[i])
        if is_dropped(raw):
            continue
        if is_space(code):
            if word:
                _close(word, tally)
                word = None
            space = True
            continue
        glyph = _read_glyph(page, i)
        page.garbage += code == 0xFFFD
        if page.char_flags[i] & INVISIBLE:
            page.invisible += 1
        else:
            page.visible += 1
        if word and i and not word.flags & SOURCE and raw == page.codepoint[i - 1] and _is_doubled(page, i, glyph[7]):
            _close(word, tally)
            word, space = None, False
            continue
        brk = _word_break(page, word, glyph, i) if word else 2 if space else 1
        if brk or word is None:
            if word:
                _close(word, tally)
            tally = _Tally()
            found = _find_frame(page, glyph, frame) if page.frame_group else -1
            word = _open(page, glyph, i, brk == 2, found)
            if found >= 0:
                frame = found
        _add(page, word, tally, glyph, i)
        space = False
    if word:
        _close(word, tally)
