"""The documents of the clients' works, and what must become of each: known before any daemon has seen one."""

from __future__ import annotations

import functools
import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

from ndfd.document import convert
from ndfd.errors import NdfdError
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.job_states import JobState
from tests import documents
from tests.crash.ledger import Work


@dataclass(frozen=True)
class End:
    """How a job ends when nobody ends it otherwise."""

    state: JobState
    #: SHA-256 of the result, or code of the error.
    told: str


class Works(ABC):
    """What is in the works, and what becomes of it."""

    #: There are so many different documents.
    count: int

    @abstractmethod
    def content(self, work: Work) -> bytes:
        """The bytes of its document."""

    @abstractmethod
    def result(self, work: Work) -> bytes:
        """The bytes of its result; empty where there is none."""

    @abstractmethod
    def end(self, work: Work) -> End:
        """What must become of it."""

    def document_hash(self, work: Work) -> str:
        """By which the spool knows the document."""
        return hashlib.sha256(self.content(work)).hexdigest()


class RealWorks(Works):
    """Documents that workers convert, three of them to an error; their ends are those of a conversion right here."""

    #: Those that say nothing of the name, the bytes or the worker.
    _FORMATS = ("markdown", "text")

    def __init__(self) -> None:
        self._documents = (
            documents.numbered_pages(1),
            documents.two_columns(),
            documents.ruled_table(),
            documents.numbered_pages(3),
            documents.with_links(),
            documents.with_outline(),
            documents.numbered_pages(12),
            documents.truncated(),
            documents.not_a_pdf(),
            documents.no_pages(),
        )
        self.count = len(self._documents)
        self._converted = {
            (number, form): self._convert(number, form) for number in range(self.count) for form in self._FORMATS
        }

    @property
    def formats(self) -> tuple[str, ...]:
        """Those that works ask for."""
        return self._FORMATS

    def content(self, work: Work) -> bytes:
        # A comment after the end: other bytes, the same document.
        return self._documents[work.document] + (b"%% work %d\n" % work.number if work.own_bytes else b"")

    def result(self, work: Work) -> bytes:
        made = self._converted[work.document, work.format]
        return made if isinstance(made, bytes) else b""

    def end(self, work: Work) -> End:
        made = self._converted[work.document, work.format]
        if isinstance(made, bytes):
            return End(JobState.SUCCEEDED, hashlib.sha256(made).hexdigest())
        return End(JobState.FAILED, made)

    def _convert(self, number: int, form: str) -> bytes | str:
        try:
            made, _ = convert(self._documents[number], ConvertOptions(OutputFormat(form)))
        except NdfdError as error:
            return error.code
        return bytes(made)


class MadeWorks(Works):
    """For a store without workers: bytes of many sizes, and results made of them by a rule."""

    count = 60
    #: Every so many of the documents fail.
    _BAD = 9
    formats = ("markdown",)
    ERROR = "document-damaged"

    def content(self, work: Work) -> bytes:
        # From one byte to 200 KB, most of them small.
        size = (1, 37, 700, 4096, 5000, 9000, 20_000, 65_537, 200_000)[work.document % 9]
        line = b"document %d of work %d\n" % (work.document, work.number if work.own_bytes else 0)
        return (line * (size // len(line) + 1))[: max(size, len(line))]

    def result(self, work: Work) -> bytes:
        if work.document % self._BAD == self._BAD - 1:
            return b""
        # Different works have the same result, so that files are shared.
        return b"result of document %d\n" % work.document * (1 + 40 * (work.document % 7)) + (
            b"%d" % work.number if work.document % 2 else b""
        )

    def end(self, work: Work) -> End:
        result = self.result(work)
        if not result:
            return End(JobState.FAILED, self.ERROR)
        return End(JobState.SUCCEEDED, hashlib.sha256(result).hexdigest())


@functools.cache
def real_works() -> RealWorks:
    """Converted once in a process."""
    return RealWorks()
