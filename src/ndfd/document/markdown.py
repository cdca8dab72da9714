"""Document -> Markdown (CommonMark 0.31 with GFM tables): what the text says is never read as markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from ndfd.document.html import table_html
from ndfd.document.joins import flowing
from ndfd.document.links import safe_address
from ndfd.model.document import Block, BlockKind, Page, Span, Table

#: Inline: what CommonMark 6 could take for markup. `_` only at a word's edge, `<` and `&` only before what they need.
#: Each branch begins with its character, which lets the search run over all others without trying them.
_INLINE = re.compile(
    r"\\(?=[!-/:-@\[-`{-~])|\*|`|_(?:(?!\w)|(?<!\w_))|<(?=[A-Za-z/!?])|&(?=#?\w{1,31};)|\](?=[(:\[])|~~"
)
#: At a line's start: headings, quotes, lists, rules, fences, tables.
_START = re.compile(r"(?:#{1,6}(?=\s|$)|>|[-+](?=\s|$)|={2,}|-{2,}|\|)|(\d{1,9})([.)])(?=\s|$)")
_FENCE = re.compile(r"`{3,}")

#: A kind's name costs more to look up in its class than here, and each block asks for several.
_FIGURE, _ITEM, _TITLE, _PARAGRAPH = BlockKind.FIGURE, BlockKind.LIST_ITEM, BlockKind.TITLE, BlockKind.PARAGRAPH


def render(pages: Iterable[Page]) -> Iterator[str]:
    """Pieces of Markdown, each a block with its line ends."""
    titled = False
    nested = False
    for block in flowing(block for page in pages for block in page.blocks):
        kind = block.kind
        if kind is _FIGURE or not (block.text or block.table):
            continue
        item = kind is _ITEM
        if nested and not item:
            yield "\n"
        nested = item
        if kind is _TITLE:
            titled = True
        yield _block(block, titled)
    if nested:
        yield "\n"


def _block(block: Block, titled: bool) -> str:
    kind = block.kind
    if kind is _PARAGRAPH:
        return _paragraph(block) + "\n\n"
    if kind is _ITEM:
        return _item(block)
    if kind is _TITLE:
        return f"# {_one_line(block.text)}\n\n"
    if kind is BlockKind.HEADING:
        return f"{'#' * min((block.level or 1) + titled, 6)} {_one_line(block.text)}\n\n"
    if kind is BlockKind.TABLE and block.table is not None:
        return _table(block.table) + "\n"
    if kind is BlockKind.CODE:
        return _fenced(block.text)
    return _paragraph(block) + "\n\n"


def escaped(text: str) -> str:
    """The text such that Markdown shows it as it is, but for what only a line's start could be taken for."""
    return _INLINE.sub(r"\\\g<0>", text) if _INLINE.search(text) else text


def _start(text: str) -> str:
    match = _START.match(text)
    if match is None:
        return text
    if match[1]:
        return f"{match[1]}\\{text[match.end(1) :]}"
    return "\\" + text


def _one_line(text: str) -> str:
    line = escaped(" ".join(text.split()))
    # A closing sequence of hashes would be dropped.
    return line[:-1] + "\\#" if line.endswith("#") else line


def _paragraph(block: Block) -> str:
    text = _rich(block)
    if "\n" in text:
        return "\\\n".join(_start(line.strip()) for line in text.split("\n") if line.strip())
    return _start(text.lstrip())


def _rich(block: Block) -> str:
    if not block.spans:
        return escaped(block.text)
    # One look at the whole spares one at each span: most blocks hold nothing that needs escaping.
    escape = escaped if _INLINE.search(block.text) else str
    return "".join([_span(span, escape) for span in block.spans])


def _span(span: Span, escape: Callable[[str], str]) -> str:
    """A mark stands against text, never against a space."""
    text = span.text
    if not (span.bold or span.italic or span.mono or span.link):
        return escape(text)
    inner = text.strip()
    if not inner:
        return text
    start = text.index(inner)
    return text[:start] + _styled(span, inner, escape) + text[start + len(inner) :]


def _styled(span: Span, text: str, escape: Callable[[str], str]) -> str:
    marked = _code(text) if span.mono and "\n" not in text else escape(text)
    if "\n" not in text and (text[0].isalnum() or any(map(str.isalnum, text))):
        if span.bold and span.italic:
            marked = f"***{marked}***"
        elif span.bold:
            marked = f"**{marked}**"
        elif span.italic:
            marked = f"*{marked}*"
    address = safe_address(span.link)
    return f"[{marked}](<{_address(address)}>)" if address else marked


def _address(address: str) -> str:
    return address.replace("<", "%3C").replace(">", "%3E").replace("\\", "%5C")


def _code(text: str) -> str:
    if "`" not in text:
        return f"`{text}`"
    return f"`` {text} ``" if "``" not in text else escaped(text)


def _item(block: Block) -> str:
    indent = "  " * (max(block.level or 1, 1) - 1)
    marker = block.marker or ""
    text = _rich(block)
    digits = marker.strip("().")
    if digits.isdigit() and not marker.startswith("("):
        indent = "   " * (max(block.level or 1, 1) - 1)
        return f"{indent}{digits}{'.' if marker.endswith('.') else ')'} {_start(text)}\n"
    if marker and any(map(str.isalnum, marker)) and marker != "o":
        return f"{indent}- {escaped(marker)} {text}\n"
    return f"{indent}- {_start(text)}\n"


def _fenced(text: str) -> str:
    longest = max((len(run) for run in _FENCE.findall(text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}\n\n"


def _table(table: Table) -> str:
    if any(cell.row_span > 1 or cell.column_span > 1 for cell in table.cells):
        return table_html(table)
    grid = [[""] * table.columns for _ in range(table.rows)]
    for cell in table.cells:
        grid[cell.row][cell.column] = _cell(cell.text)
    lines = [f"| {' | '.join(row)} |" for row in grid]
    lines.insert(1, "|" + " --- |" * table.columns)
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return escaped(" ".join(text.split())).replace("|", "\\|")
