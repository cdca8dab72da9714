"""Bytes -> Document, and Document -> Markdown, JSON, HTML, text; pure; runs only in a worker.

The stages, in order: `page` (with `grids`, `tables`, `figures`, `quality`) turns one page's arrays into draft blocks;
`furniture`, `headings` and `kinds` settle what the blocks are by what the whole document tells; `blocks` makes the
frozen values; `markdown`, `html` and `text` render them. `convert` is all of it; `read_part` is the first stage of one
section of a document and `compose` the others, for a document that several workers read.
"""

from ndfd.document.composition import compose
from ndfd.document.convert import convert, convert_up_to, read
from ndfd.document.parts import read_part

__all__ = ["compose", "convert", "convert_up_to", "read", "read_part"]
