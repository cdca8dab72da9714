"""Document -> HTML: a complete page, semantic, with every character of the document escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from ndfd.document.links import safe_address
from ndfd.model.document import Block, BlockKind, Cell, Page, Span, Table

_STYLE = (
    "body{max-width:50rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 serif}"
    "table{border-collapse:collapse}td,th{border:1px solid #999;padding:.2rem .5rem;vertical-align:top}"
    "aside{font-size:.85em}pre{overflow:auto}"
)
#: Nothing is loaded and nothing runs, whatever the text holds.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_SKIPPED = frozenset((BlockKind.HEADER, BlockKind.FOOTER))


def render(pages: Iterable[Page], title: str) -> Iterator[str]:
    """Pieces of the page; `title` is the document's, as plain text."""
    yield (
        '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    )
    for page in pages:
        yield f'<section data-page="{page.number}">\n'
        yield from _blocks(page.blocks)
        yield "</section>\n"
    yield "</body>\n</html>\n"


def _blocks(blocks: Iterable[Block]) -> Iterator[str]:
    depth = 0
    for block in blocks:
        if block.kind in _SKIPPED:
            continue
        wanted = max(block.level or 1, 1) if block.kind is BlockKind.LIST_ITEM else 0
        while depth > wanted:
            yield "</li></ul>\n"
            depth -= 1
        if wanted:
            if depth == wanted:
                yield "</li>\n"
            while depth < wanted:
                yield "<ul><li>" if depth + 1 < wanted else "<ul>"
                depth += 1
            marker = f'<span class="marker">{escape(block.marker)}</span> ' if block.marker else ""
            yield f'<li id="{escape(block.id)}">{marker}{_inline(block)}'
            continue
        yield _block(block)
    yield "</li></ul>\n" * depth


def _block(block: Block) -> str:
    kind, name = block.kind, f'id="{escape(block.id)}"'
    if kind is BlockKind.TITLE:
        return f"<h1 {name}>{_inline(block)}</h1>\n"
    if kind is BlockKind.HEADING:
        level = min((block.level or 1) + 1, 6)
        return f"<h{level} {name}>{_inline(block)}</h{level}>\n"
    if kind is BlockKind.TABLE and block.table is not None:
        return table_html(block.table, name)
    if kind is BlockKind.CODE:
        return f"<pre {name}><code>{escape(block.text)}</code></pre>\n"
    if kind is BlockKind.FOOTNOTE:
        return f"<aside {name}>{_inline(block)}</aside>\n"
    if kind is BlockKind.FIGURE:
        return f"<figure {name}></figure>\n"
    if kind in (BlockKind.CAPTION, BlockKind.FORMULA):
        return f'<p {name} class="{kind.value}">{_inline(block)}</p>\n'
    return f"<p {name}>{_inline(block)}</p>\n"


def _inline(block: Block) -> str:
    text = "".join(_span(span) for span in block.spans) if block.spans else escape(block.text)
    return text.replace("\n", "<br>\n")


def _span(span: Span) -> str:
    text = escape(span.text)
    if span.mono:
        text = f"<code>{text}</code>"
    if span.italic:
        text = f"<em>{text}</em>"
    if span.bold:
        text = f"<strong>{text}</strong>"
    address = safe_address(span.link)
    return f'<a href="{escape(address)}" rel="noreferrer noopener">{text}</a>' if address else text


def table_html(table: Table, attributes: str = "") -> str:
    """An HTML table with its spans; also what Markdown uses for them."""
    rows: list[list[str]] = [[] for _ in range(table.rows)]
    for cell in table.cells:
        rows[cell.row].append(_cell(cell))
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f"<table{' ' + attributes if attributes else ''}>\n{body}\n</table>\n"


def _cell(cell: Cell) -> str:
    tag = "th" if cell.header else "td"
    spans = f' rowspan="{cell.row_span}"' if cell.row_span > 1 else ""
    if cell.column_span > 1:
        spans += f' colspan="{cell.column_span}"'
    return f"<{tag}{spans}>{escape(' '.join(cell.text.split()))}</{tag}>"
