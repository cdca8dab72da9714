"""Builds page arrays by hand, so that a test of the layout says where each piece of text stands and needs no PDF."""

from __future__ import annotations

from array import array

from ndfd.native._py.pdftext_values import (
    GENERATED,
    RULE_BOX,
    RULE_HORIZONTAL,
    RULE_VERTICAL,
    FormText,
    Link,
    PageArrays,
    Tag,
)

#: Advance of every glyph of the made-up font, in sizes, and its ascent and descent.
ADVANCE, ASCENT, DESCENT = 0.5, 0.8, 0.2
LEADING = 1.2


class PageBuilder:
    """A page that grows by lines of text, rules and images; each method gives the builder back."""

    def __init__(self, width: float = 600.0, height: float = 800.0) -> None:
        self._page = PageArrays(width, height, 0)
        self._codepoint, self._font, self._flags = array("I"), array("H"), array("H")
        self._loose, self._origin, self._size = array("f"), array("f"), array("f")
        self._direction, self._mcid = array("B"), array("i")
        self._rule_box, self._rule_kind = array("f"), array("B")
        self._image_box, self._image_pixels = array("f"), array("I")

    def char(
        self,
        code: int,
        x: float,
        base: float,
        size: float = 10.0,
        *,
        font: int = 0,
        flags: int = 0,
        direction: int = 0,
        mcid: int = -1,
    ) -> PageBuilder:
        """One character with its origin at (x, base)."""
        along, up, down = ADVANCE * size, ASCENT * size, DESCENT * size
        boxes = (
            (x, base - up, x + along, base + down),
            (x - down, base, x + up, base + along),
            (x - along, base - down, x, base + up),
            (x - up, base - along, x + down, base),
        )
        return self.raw(code, boxes[direction % 4], (x, base), size, font, flags, direction, mcid)

    def raw(
        self,
        code: int,
        box: tuple[float, float, float, float],
        origin: tuple[float, float],
        size: float = 10.0,
        font: int = 0,
        flags: int = 0,
        direction: int = 0,
        mcid: int = -1,
    ) -> PageBuilder:
        """One character with any geometry, sane or not."""
        self._codepoint.append(code)
        self._loose.extend(box)
        self._origin.extend(origin)
        self._size.append(size)
        self._font.append(font)
        self._flags.append(flags)
        self._direction.append(direction)
        self._mcid.append(mcid)
        return self

    def line(
        self,
        x: float,
        base: float,
        text: str,
        size: float = 10.0,
        *,
        font: int = 0,
        flags: int = 0,
        direction: int = 0,
        mcid: int = -1,
    ) -> PageBuilder:
        """Text from (x, base) on in its direction, then a line end as the engine generates it."""
        step = ADVANCE * size
        for i, char in enumerate(text):
            dx, dy = ((step, 0.0), (0.0, step), (-step, 0.0), (0.0, -step))[direction % 4]
            at = (x + i * dx, base + i * dy)
            self.char(ord(char), *at, size, font=font, flags=flags, direction=direction, mcid=mcid)
        return self.char(0x0A, x, base, size, font=font, flags=GENERATED, direction=direction, mcid=mcid)

    def lines(
        self, x: float, base: float, *texts: str, size: float = 10.0, flags: int = 0, font: int = 0
    ) -> PageBuilder:
        """Lines one below the other, single-spaced."""
        for i, text in enumerate(texts):
            self.line(x, base + i * LEADING * size, text, size, flags=flags, font=font)
        return self

    def level(self, y: float, x0: float, x1: float) -> PageBuilder:
        return self.rule(RULE_HORIZONTAL, (x0, y - 0.25, x1, y + 0.25))

    def upright(self, x: float, y0: float, y1: float) -> PageBuilder:
        return self.rule(RULE_VERTICAL, (x - 0.25, y0, x + 0.25, y1))

    def box(self, x0: float, y0: float, x1: float, y1: float) -> PageBuilder:
        return self.rule(RULE_BOX, (x0, y0, x1, y1))

    def rule(self, kind: int, box: tuple[float, float, float, float]) -> PageBuilder:
        """One rule of any kind."""
        self._rule_box.extend(box)
        self._rule_kind.append(kind)
        return self

    def grid(self, xs: list[float], ys: list[float]) -> PageBuilder:
        """All lines of a ruled table."""
        for y in ys:
            self.level(y, xs[0], xs[-1])
        for x in xs:
            self.upright(x, ys[0], ys[-1])
        return self

    def image(self, x0: float, y0: float, x1: float, y1: float) -> PageBuilder:
        self._image_box.extend((x0, y0, x1, y1))
        self._image_pixels.extend((100, 100))
        return self

    def link(self, box: tuple[float, float, float, float], uri: str | None) -> PageBuilder:
        self._page.links.append(Link(box, uri, None))
        return self

    def tag(self, role: str, *mcids: int) -> PageBuilder:
        self._page.tags.append(Tag(role, 0, mcids, "", 1, 1))
        return self

    def note(self, kind: str, text: str) -> PageBuilder:
        self._page.form_texts.append(FormText(kind, "", text, (0.0, 0.0, 10.0, 10.0), -1, 0))
        return self

    def build(self) -> PageArrays:
        page = self._page
        page.count = len(self._codepoint)
        for name in ("codepoint", "loose", "origin", "font", "size", "flags", "direction", "mcid"):
            setattr(page, name, memoryview(getattr(self, f"_{name}")).toreadonly())
        page.tight = page.loose
        page.weight = memoryview(array("H", bytes(2 * page.count))).toreadonly()
        page.colour = memoryview(array("I", bytes(4 * page.count))).toreadonly()
        page.rule_count, page.image_count = len(self._rule_kind), len(self._image_pixels) // 2
        for name in ("rule_box", "rule_kind", "image_box", "image_pixels"):
            setattr(page, name, memoryview(getattr(self, f"_{name}")).toreadonly())
        page.rule_width = memoryview(array("f", bytes(4 * page.rule_count))).toreadonly()
        page.rule_colour = memoryview(array("I", bytes(4 * page.rule_count))).toreadonly()
        return page


#: Running text: lines of about 60 characters, none of which has room for the next one's first word.
PROSE = (
    "The kernel reads the characters of a page in the order that",
    "they were drawn and puts those together which stand near to",
    "one another upon the same baseline until a gap or some jump",
    "parts them, and then it looks for the columns of the layout",
)
COLUMN = (
    "Running text in a narrow column",
    "fills each line as far as it is",
    "able to, for the next word that",
    "comes would not fit in anymore.",
)
