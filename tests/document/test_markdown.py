"""Blocks become Markdown that reads back as the same text."""

from __future__ import annotations

import pytest

from ndfd.document.markdown import escaped, render
from ndfd.model.document import Block, BlockKind, Cell, Page, PageStatus, Span, Table
from tests.document.drafts import block, spans


def markdown(*blocks: Block) -> str:
    return "".join(render([Page(1, 600.0, 800.0, 0, PageStatus.OK, blocks=blocks)]))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        *(("a*b", "a\\*b"), ("`x`", "\\`x\\`"), ("snake_case", "snake_case"), ("_x_", "\\_x\\_"), ("a < b", "a < b")),
        *(("<b>", "\\<b>"), ("AT&T", "AT&T"), ("&amp;", "\\&amp;"), ("[a](b)", "[a\\](b)"), ("[1]", "[1]")),
        *(("C:\\dir", "C:\\dir"), ("\\*", "\\\\\\*"), ("~~x", "\\~~x")),
    ],
)
def test_only_what_would_be_markup_is_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# 1", "\\# 1"),
        ("1990. A year", "1990\\. A year"),
        ("- 3", "\\- 3"),
        ("> x", "\\> x"),
        ("---", "\\---"),
        ("-3", "-3"),
    ],
)
def test_a_line_that_begins_like_markup_is_escaped(text: str, shown: str) -> None:
    assert markdown(block(text)) == shown + "\n\n"


def test_headings_go_below_the_title() -> None:
    found = markdown(
        block("On Reading", BlockKind.TITLE, level=1),
        block("Methods", BlockKind.HEADING, level=1),
        block("Data", BlockKind.HEADING, level=6),
    )
    assert found == "# On Reading\n\n## Methods\n\n###### Data\n\n"


def test_headings_without_a_title_begin_at_the_top() -> None:
    assert markdown(block("C#", BlockKind.HEADING, level=1)) == "# C\\#\n\n"


def test_styles_and_links_are_marked() -> None:
    styled = (("bold", "b"), ("slanted", "i"), ("both", "bi"), ("code", "m"))
    parts = [part for text, style in styled for part in spans((text, style), (" ", ""))]
    made = block("bold slanted both code link", spans=(*parts, Span("link", link="https://a.b/(c)")))
    assert markdown(made) == "**bold** *slanted* ***both*** `code` [link](<https://a.b/(c)>)\n\n"


def test_spaces_stay_outside_of_marks() -> None:
    assert markdown(block("a b c", spans=spans(("a", ""), (" b ", "b"), ("c", "")))) == "a **b** c\n\n"


def test_a_dangerous_link_is_only_its_text() -> None:
    assert markdown(block("x", spans=(Span("x", link="javascript:alert(1)"),))) == "x\n\n"


def test_list_items_nest_and_number() -> None:
    found = markdown(
        block("one", BlockKind.LIST_ITEM, level=1, marker="•"),
        block("two", BlockKind.LIST_ITEM, level=2, marker="–"),
        block("three", BlockKind.LIST_ITEM, level=1, marker="3."),
        block("four", BlockKind.LIST_ITEM, level=1, marker="(d)"),
        block("After"),
    )
    assert found == "- one\n  - two\n3. three\n- (d) four\n\nAfter\n\n"


def test_a_plain_table_is_of_pipes() -> None:
    table = Table(2, 2, (Cell("a|b", 0, 0), Cell("c", 0, 1), Cell("d\ne", 1, 0), Cell("", 1, 1)))
    assert markdown(block("x", BlockKind.TABLE, table=table)) == "| a\\|b | c |\n| --- | --- |\n| d e |  |\n\n"


def test_a_table_with_spans_is_html() -> None:
    table = Table(2, 2, (Cell("<a>", 0, 0, 1, 2), Cell("b", 1, 0), Cell("c", 1, 1)))
    found = markdown(block("x", BlockKind.TABLE, table=table))
    assert '<td colspan="2">&lt;a&gt;</td>' in found


def test_code_is_fenced_by_more_than_it_holds() -> None:
    assert markdown(block("a\n```\nb", BlockKind.CODE)) == "````\na\n```\nb\n````\n\n"


def test_headers_footers_and_figures_are_left_out() -> None:
    made = [block("x", kind) for kind in (BlockKind.HEADER, BlockKind.FOOTER, BlockKind.FIGURE)]
    assert markdown(*made) == ""
