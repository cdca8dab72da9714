"""Bytes -> Document, and Document -> Markdown, JSON, HTML, text; pure; runs only in a worker.

The stages, in order: `page` (with `grids`, `tables`, `figures`, `quality`) turns one page's arrays into draft blocks;
`furniture`, `headings` and `kinds` settle what the blocks are by what the whole document tells; `blocks` makes the
frozen values; `markdown`, `html` and `text` render them.
"""

from ndfd.document.convert import convert, read

__all__ = ["convert", "read"]
