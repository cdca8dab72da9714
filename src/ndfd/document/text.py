"""Document -> plain text: paragraphs parted by empty lines, tables as columns parted by tabs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ndfd.document.joins import flowing
from ndfd.model.document import Block, BlockKind, Page


def render(pages: Iterable[Page]) -> Iterator[str]:
    """Pieces of text, each a block with its line ends."""
    listed = False
    for block in flowing(block for page in pages for block in page.blocks):
        if not block.text:
            continue
        item = block.kind is BlockKind.LIST_ITEM
        if listed and not item:
            yield "\n"
        listed = item
        yield _item(block) if item else block.text + "\n\n"


def _item(block: Block) -> str:
    indent = "  " * (max(block.level or 1, 1) - 1)
    return f"{indent}{block.marker or '-'} {block.text}\n"
