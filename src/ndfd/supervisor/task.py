"""What a worker is asked to do with a document, and what it may say to that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ndfd.model.conversion import ConversionReport, ConvertOptions
from ndfd.model.sections import PART_MEDIA_TYPE
from ndfd.protocol import frames
from ndfd.supervisor.document_state import DocumentState

_HOWEVER_LONG = frames.Whole()


def never() -> bool:
    """Of what does not wait in the background."""
    return False


def nothing() -> None:
    """Where nobody wants to know."""


class TooLong(Exception):
    """No fault but an answer: the document has more pages than `frames.Whole` allowed, and none of them was read."""

    def __init__(self, pages: int) -> None:
        super().__init__(f"the document has {pages} pages")
        #: More than were allowed, and at most as many as a document can have; the worker's word.
        self.pages = pages


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of a worker for a document."""

    work: frames.Work = _HOWEVER_LONG
    #: Descriptors of the parts for `frames.Compose`; they stay the caller's.
    parts: tuple[int, ...] = ()
    #: The document as it was when the whole conversion was asked for; None for the one that it is now.
    document: DocumentState | None = None
    #: Whether it waits behind all that is not, at the time of asking.
    background: Callable[[], bool] = never
    #: Called each time that a worker gets it.
    on_worker: Callable[[], None] = nothing

    def start(self) -> tuple[int, int | None]:
        """The pages done before it begins, counted through the document, and the pages of the document if known."""
        match self.work:
            case frames.Part(first=first, pages=pages):
                return first - 1, pages
            case frames.Compose(pages=pages):
                return pages, pages
        return 0, None

    def last_page(self, total: int) -> int:
        """The last page that its worker may tell of, in a document of `total`."""
        return self.work.last if isinstance(self.work, frames.Part) else total

    def media_type(self, options: ConvertOptions) -> str:
        """Of the result that is asked for."""
        return PART_MEDIA_TYPE if isinstance(self.work, frames.Part) else options.format.media_type

    def fault(self, report: ConversionReport, pages_done: int) -> str | None:
        """What is wrong with a worker that reports so at its end; None when nothing is."""
        match self.work:
            case frames.Part(first=first, last=last) if (report.pages, pages_done) != (last - first + 1, last):
                told = f"{report.pages} pages and has told of them up to {pages_done}"
                return f"it reports {told}; it was asked for {first} to {last}"
            case frames.Part() if not report.size_bytes:
                return "the part that it read has 0 bytes"
            case frames.Compose(pages=pages) if report.pages != pages:
                return f"it reports {report.pages} pages of {pages}"
        return None

    def is_too_long(self, pages: int) -> bool:
        """Whether a document of so many pages may be left unread."""
        return isinstance(self.work, frames.Whole) and self.work.pages_max is not None and pages > self.work.pages_max


#: A whole document, however long.
WHOLE = Task()
