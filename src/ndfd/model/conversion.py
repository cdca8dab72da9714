"""What a caller asks of one conversion, and what it is told about it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Protocol

import msgspec

from ndfd.model.document import PageStatus
from ndfd.model.sandbox import Confinement


class OutputFormat(enum.StrEnum):
    """The renderings of a document."""

    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"
    TEXT = "text"

    @property
    def media_type(self) -> str:
        """The Content-Type of this rendering (RFC 7763 for Markdown)."""
        return _MEDIA_TYPES[self]

    @property
    def suffix(self) -> str:
        """The file name suffix of this rendering, with its dot."""
        return _SUFFIXES[self]


_MEDIA_TYPES = {
    OutputFormat.MARKDOWN: "text/markdown; charset=utf-8",
    OutputFormat.JSON: "application/json",
    OutputFormat.HTML: "text/html; charset=utf-8",
    OutputFormat.TEXT: "text/plain; charset=utf-8",
}
_SUFFIXES = {
    OutputFormat.MARKDOWN: ".md",
    OutputFormat.JSON: ".json",
    OutputFormat.HTML: ".html",
    OutputFormat.TEXT: ".txt",
}


class ConvertOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """One caller's options for one document."""

    format: OutputFormat = OutputFormat.MARKDOWN
    #: Opens an encrypted document; never logged.
    password: str | None = None
    #: Name of the document as its owner knows it, for messages and the record; never opened.
    name: str | None = None
    #: Seconds from acceptance until the conversion is killed; None for the daemon's default. Never above its maximum.
    deadline_s: float | None = None
    #: The pool whose workers shall do it; None for the default one.
    pool: str | None = None

    def __repr__(self) -> str:
        return (
            f"ConvertOptions(format={self.format.value!r}, name={self.name!r}, deadline_s={self.deadline_s!r}, "
            f"pool={self.pool!r})"
        )


class PageReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """One page is finished: sent while the conversion runs, in order but for a document that several workers read."""

    #: 1-based.
    number: int
    #: Pages of the whole document.
    total: int
    status: PageStatus
    reasons: tuple[str, ...] = ()


class ConversionReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a finished conversion was like; goes with the rendered bytes."""

    #: Pages of the whole document.
    pages: int
    pages_partial: int
    pages_failed: int
    media_type: str
    #: Size of the rendered result.
    size_bytes: int
    #: CPU time the worker spent on this document.
    cpu_s: float
    #: Peak resident set of the worker so far.
    rss_max_bytes: int
    #: Those pages that are not ok, with their reasons; at most 100, the counts above are whole.
    problems: tuple[PageReport, ...] = ()
    #: What confined the worker. The supervisor's word, from before the worker had seen any document: whatever a worker
    #: says here is replaced.
    sandbox: Confinement | None = None


#: Is told of each page as it is finished.
OnPage = Callable[[PageReport], None]


class Converted(Protocol):
    """A finished conversion."""

    @property
    def report(self) -> ConversionReport:
        """What it was like."""

    @property
    def fd(self) -> int:
        """The rendered result: a memfd sealed against every change. Whoever gets it closes it."""
