"""Blocks become plain text."""

from __future__ import annotations

from ndfd.document.text import render
from ndfd.model.document import BlockKind, Page, PageStatus
from tests.document.drafts import block


def test_paragraphs_are_parted_by_empty_lines_and_items_keep_their_markers() -> None:
    blocks = (
        block("Title", BlockKind.TITLE),
        block("one", BlockKind.LIST_ITEM, level=1, marker="•"),
        block("two", BlockKind.LIST_ITEM, level=2, marker="a)"),
        block("a\tb\nc\td", BlockKind.TABLE),
        block("Page 3", BlockKind.FOOTER),
    )
    page = Page(1, 600.0, 800.0, 0, PageStatus.OK, blocks=blocks)
    assert "".join(render([page])) == "Title\n\n• one\n  a) two\n\na\tb\nc\td\n\n"
