"""Blocks become a page of HTML that nothing in them can break out of."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from ndfd.document.html import render
from ndfd.model.document import Block, BlockKind, Cell, Page, PageStatus, Span, Table
from tests.document.drafts import block

HOSTILE = "<script>alert('x')</script>&\"'"


def html(*blocks: Block, title: str = "T") -> str:
    return "".join(render([Page(1, 600.0, 800.0, 0, PageStatus.OK, blocks=blocks)], title))


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def read(source: str) -> Reader:
    reader = Reader()
    reader.feed(source)
    return reader


def test_no_kind_of_block_lets_markup_through() -> None:
    table = Table(1, 1, (Cell(HOSTILE, 0, 0),))
    blocks = [block(HOSTILE, kind, level=1, marker=HOSTILE) for kind in BlockKind]
    blocks += [
        block(HOSTILE, BlockKind.TABLE, table=table),
        block(HOSTILE, spans=(Span(HOSTILE, True, True, True, HOSTILE),)),
    ]
    found = read(html(*blocks, title=HOSTILE))
    assert "script" not in found.tags
    assert "alert('x')" in found.text


@given(st.text(), st.text())
def test_no_text_or_address_makes_a_tag(text: str, address: str) -> None:
    found = read(html(block(text, spans=(Span(text, link=address),)), title=text))
    assert set(found.tags) <= {"html", "head", "meta", "title", "style", "body", "section", "p", "a", "br"}
    assert not any(a.lower().startswith(("javascript:", "data:", "vbscript:")) for a in found.addresses)


def test_the_page_is_complete_and_names_its_pages() -> None:
    found = html(block("Hello"))
    assert found.startswith("<!DOCTYPE html>")
    assert '<section data-page="1">' in found
    assert found.endswith("</html>\n")


def test_lists_nest_and_close() -> None:
    items = [block(str(i), BlockKind.LIST_ITEM, level=level) for i, level in enumerate((1, 2, 1))]
    found = html(*items, block("after"))
    assert (found.count("<ul>"), found.count("</ul>")) == (2, 2)
    assert found.count("<li") == found.count("</li>") == 3


def test_tables_have_their_spans_and_headers() -> None:
    table = Table(2, 2, (Cell("a", 0, 0, 1, 2, True), Cell("b", 1, 0), Cell("c", 1, 1)))
    assert '<th colspan="2">a</th>' in html(block("x", BlockKind.TABLE, table=table))
