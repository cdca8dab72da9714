"""Settled drafts -> the frozen values of the model."""

from __future__ import annotations

from ndfd.document.draft import Draft, PageDraft
from ndfd.model.document import Block, BlockKind, Page, Span
from ndfd.native import pdftext

_ITEM = BlockKind.LIST_ITEM
#: Bold, italic, monospaced for each combination of the style bits.
_STYLES = [
    (bool(style & pdftext.BOLD), bool(style & pdftext.ITALIC), bool(style & pdftext.MONO))
    for style in range((pdftext.BOLD | pdftext.ITALIC | pdftext.MONO) + 1)
]


def page_of(draft: PageDraft) -> Page:
    """The frozen page; its blocks are numbered in reading order."""
    prefix = f"p{draft.number}-b"
    return Page(
        draft.number,
        draft.width,
        draft.height,
        draft.rotation,
        draft.status,
        draft.reasons,
        draft.label,
        tuple([_block(prefix + str(i), block) for i, block in enumerate(draft.blocks, 1)]),
        draft.images,
        draft.annotations,
    )


def _block(name: str, draft: Draft) -> Block:
    spans = draft.spans
    return Block(
        name,
        draft.kind,
        draft.text,
        draft.bbox,
        draft.confidence,
        draft.level,
        draft.marker if draft.kind is _ITEM else None,
        tuple([Span(text, *_STYLES[style], link) for text, style, link in spans]) if spans else (),
        draft.table,
        draft.source,
    )
