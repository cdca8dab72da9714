"""Paragraphs that go on over a column's or a page's end, in the renderings that show neither."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ndfd.model.document import Block, BlockKind, Span

#: What may stand between the two parts: it is set where the page had room for it.
_BETWEEN = frozenset(
    (BlockKind.HEADER, BlockKind.FOOTER, BlockKind.FOOTNOTE, BlockKind.FIGURE, BlockKind.CAPTION, BlockKind.TABLE)
)
_MARGINS = frozenset((BlockKind.HEADER, BlockKind.FOOTER))
_HYPHENS = "-\u2010"
_RUNNING = frozenset((BlockKind.PARAGRAPH, BlockKind.LIST_ITEM))


def flowing(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks without headers and footers, a paragraph's parts made one where they are clearly one sentence."""
    held: Block | None = None
    between: list[Block] = []
    for block in blocks:
        kind = block.kind
        if kind in _MARGINS:
            continue
        if held is not None and kind in _BETWEEN:
            between.append(block)
        elif held is not None and _goes_on(held, block):
            held = _joined(held, block)
        else:
            if held is not None:
                yield held
            if between:
                yield from between
                between = []
            if kind in _RUNNING:
                held = block
            else:
                held = None
                yield block
    if held is not None:
        yield held
    yield from between


def _goes_on(first: Block, second: Block) -> bool:
    """The first ends within a sentence and the second begins within one."""
    if second.kind is not BlockKind.PARAGRAPH or first.source != "text" or second.source != "text":
        return False
    if not first.text or not second.text or "\n" in first.text or "\n" in second.text:
        return False
    last, code = first.text[-1], second.text[0]
    if not code.islower():
        return False
    return last.islower() or last in ",-\u2010" or (last.isalnum() and len(first.text) > 80)


def _joined(first: Block, second: Block) -> Block:
    hyphenated = first.text[-1] in _HYPHENS and first.text[-2:-1].isalpha()
    head = first.text[:-1] if hyphenated else first.text + " "
    spans: tuple[Span, ...] = ()
    if first.spans or second.spans:
        ahead = first.spans or (Span(first.text),)
        end = ahead[-1]
        end_text = end.text[:-1] if hyphenated and end.text[-1:] in _HYPHENS else end.text + ("" if hyphenated else " ")
        last = Span(end_text, end.bold, end.italic, end.mono, end.link)
        spans = (*ahead[:-1], last, *(second.spans or (Span(second.text),)))
    return Block(
        first.id,
        first.kind,
        head + second.text,
        first.bbox,
        min(first.confidence, second.confidence),
        first.level,
        first.marker,
        spans,
        None,
        first.source,
    )
