"""Words -> fragments; the rules and their reasons stand in ext/layout_fragments_impl.c."""

from __future__ import annotations

from ndfd.native._py.layout_values import SOURCE, WORD_RTL, WORD_SPACE, OpenFragment, OpenWord, Page

DRAWN_TOGETHER, DRAWN_APART, OVERLAP = 1.0, 0.7, 0.6
LEVEL, RAISED, LIKE_SIZE = 0.25, 0.55, 0.85
ASCENT, DESCENT = 0.75, 0.22


def _level(base_a: float, size_a: float, base_b: float, size_b: float) -> bool:
    scale = max(size_a, size_b)
    return abs(base_a - base_b) <= (LEVEL if min(size_a, size_b) > LIKE_SIZE * scale else RAISED) * scale


def _continues(fragment: OpenFragment, a: OpenWord, b: OpenWord) -> bool:
    scale, gap = max(a.size, b.size), b.u0 - a.u1
    if a.direction != b.direction or a.frame != b.frame or (a.flags ^ b.flags) & SOURCE:
        return False
    if a.flags & SOURCE:
        return gap <= DRAWN_TOGETHER * scale and gap >= -OVERLAP * scale and a.base == b.base
    if a.direction == 4:
        return max(b.x0 - a.x1, a.x0 - b.x1, b.y0 - a.y1, a.y0 - b.y1) < scale
    if a.flags & WORD_RTL and b.flags & WORD_RTL:
        gap = a.u0 - b.u1
    if gap > DRAWN_TOGETHER * scale or gap < -OVERLAP * scale:
        return False
    return _level(a.base, a.size, b.base, b.size) and _level(fragment.base, fragment.size, b.base, b.size)


def _add_word(page: Page, fragment: OpenFragment, k: int) -> None:
    word = page.words[k]
    if not fragment.words:
        fragment.u0, fragment.u1 = word.u0, word.u1
        fragment.frame, fragment.direction = word.frame, word.direction
        fragment.flags = word.flags & SOURCE
    fragment.words.append(k)
    fragment.chars += word.chars
    fragment.u0, fragment.u1 = min(fragment.u0, word.u0), max(fragment.u1, word.u1)
    fragment.flags |= word.flags & WORD_RTL
    if word.chars > fragment.main_chars:
        fragment.main_chars, fragment.base, fragment.size = word.chars, word.base, word.size


def _close(fragment: OpenFragment) -> None:
    fragment.v0 = fragment.base - ASCENT * fragment.size
    fragment.v1 = fragment.base + DESCENT * fragment.size


def _codes(page: Page, fragment: OpenFragment) -> list[list[int]]:
    words = (page.words[k] for k in fragment.words)
    return [page.codepoint[word.first : word.first + word.count] for word in words]


def _drawn_again(page: Page, a: OpenFragment, b: OpenFragment) -> bool:
    near = 0.2 * a.size
    return (
        -near < b.u0 - a.u0 < near
        and -near < b.u1 - a.u1 < near
        and a.chars == b.chars
        and _codes(page, a) == _codes(page, b)
    )


def _append(page: Page, a: OpenFragment, b: OpenFragment) -> None:
    head = page.words[b.words[0]]
    if head.u0 - a.u1 > 0.15 * max(a.size, b.size):
        head.flags |= WORD_SPACE
    a.words += b.words
    a.chars += b.chars
    a.u0, a.u1 = min(a.u0, b.u0), max(a.u1, b.u1)
    a.flags |= b.flags
    if b.main_chars > a.main_chars:
        a.main_chars, a.base, a.size = b.main_chars, b.base, b.size
    b.words = []
    _close(a)


def _join_row(page: Page, group: list[OpenFragment]) -> None:
    a = group[0]
    for b in group[1:]:
        scale, gap = max(a.size, b.size), b.u0 - a.u1
        plain = not (a.flags | b.flags) & (SOURCE | WORD_RTL)
        if plain and _drawn_again(page, a, b):
            b.words = []
        elif plain and -OVERLAP * scale <= gap <= DRAWN_APART * scale:
            _append(page, a, b)
        else:
            a = b


def _same_row(a: OpenFragment, b: OpenFragment) -> bool:
    return a.direction == b.direction and a.frame == b.frame and _level(a.base, a.size, b.base, b.size)


def _join_neighbours(page: Page) -> None:
    fragments = page.fragments
    index = sorted(range(len(fragments)), key=lambda k: (fragments[k].base, k))
    # Rows are found by the places of before any join, as the kernel sorts them.
    u0 = [fragment.u0 for fragment in fragments]
    start = 0
    while start < len(index):
        end = start + 1
        while end < len(index) and _same_row(fragments[index[start]], fragments[index[end]]):
            end += 1
        if end - start > 1:
            row = sorted(index[start:end], key=lambda k: (u0[k], k))
            _join_row(page, [fragments[k] for k in row])
        start = end


def find_fragments(page: Page) -> None:
    fragment: OpenFragment | None = None
    for k, word in enumerate(page.words):
        if fragment is None or not _continues(fragment, page.words[k - 1], word):
            if fragment is not None:
                _close(fragment)
            fragment = OpenFragment([])
            page.fragments.append(fragment)
        _add_word(page, fragment, k)
    if fragment is not None:
        _close(fragment)
    _join_neighbours(page)
    page.fragments = [fragment for fragment in page.fragments if fragment.words]
