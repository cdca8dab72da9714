"""Drafts made by hand, for the stages that look over the whole document."""

from __future__ import annotations

from ndfd.document.draft import Draft, PageDraft
from ndfd.document.fonts import MathFonts
from ndfd.document.page import read_page
from ndfd.model.document import Block, BlockKind, Span
from tests.document.arrays import PageBuilder


def draft(text: str, y: float = 300.0, x: float = 50.0, size: float = 10.0, flags: int = 0, **more: object) -> Draft:
    """One block of one row at (x, y)."""
    made = Draft(text, (x, y, x + 5.0 * len(text), y + size), size, len(text.replace(" ", "")), flags)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def page(*blocks: Draft, number: int = 1) -> PageDraft:
    return PageDraft(number, 600.0, 800.0, blocks=list(blocks))


def read(builder: PageBuilder) -> PageDraft:
    """What the page stage makes of hand-made arrays."""
    return read_page(builder.build(), 1, [], MathFonts())


def block(text: str, kind: BlockKind = BlockKind.PARAGRAPH, **more: object) -> Block:
    return Block(id="p1-b1", kind=kind, text=text, bbox=(0.0, 0.0, 1.0, 1.0), **more)  # type: ignore[arg-type]


def spans(*parts: tuple[str, str]) -> tuple[Span, ...]:
    """Each a text and its styles: "b", "i", "m" or "" ."""
    return tuple(Span(text, "b" in style, "i" in style, "m" in style) for text, style in parts)
