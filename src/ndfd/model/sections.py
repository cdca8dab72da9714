"""The sections of a long document: the pages that are read with the engine opened once.

An engine carries things from one page to the next: numbers of fonts, the fields of a form, its way through a damaged
page tree. So that a document is read alike by one worker and by several, the engine is opened anew for each section,
whoever reads it, and the sections follow from the number of pages alone.
"""

from __future__ import annotations

from typing import NamedTuple

#: Pages of a section at most, while `SECTIONS_MAX` allows it. They are read in 0.5 to 2 s. To open the engine anew and
#: find the way to the first of them takes 5 microseconds for each page before it: 1 to 3 % of the CPU of most.
SECTION_PAGES = 200
#: Sections of one document at most, so that this share does not grow with the document.
SECTIONS_MAX = 32
#: Pages that a document can have: PDFium refuses larger page trees (CPDF_Document::kPageMaxNum).
PAGES_MAX = 0xFFFFF
#: Of a section as it was read (as registered with IANA).
PART_MEDIA_TYPE = "application/vnd.msgpack"


class Section(NamedTuple):
    """Pages that follow one another, 1-based, both included."""

    first: int
    last: int

    @property
    def pages(self) -> int:
        """How many they are."""
        return self.last - self.first + 1


def sections(pages: int, section_pages: int = SECTION_PAGES) -> list[Section]:
    """The sections of a document of so many pages, in order, about equally long."""
    count = min(-(-pages // section_pages), SECTIONS_MAX)
    size = -(-pages // count)
    return [Section(first, min(first + size - 1, pages)) for first in range(1, pages + 1, size)]
