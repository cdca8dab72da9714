"""The engines that are compared, each as a function from the bytes of a document to its number of pages and characters.

Each reads every page and throws the result away. Runs in two environments, so a peer is imported only by the function
that prepares it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: Bytes of a document -> pages, characters of the output.
Extract = Callable[[bytes], tuple[int, int]]


@dataclass(frozen=True)
class Engine:
    """One way of reading a document."""

    name: str
    #: In words, for the table.
    does: str
    #: True when it runs in the benchmark's own environment, False in the project's.
    peer: bool
    #: Imports what the engine needs, and gives the function that is measured.
    prepare: Callable[[], Extract]


def _pypdfium2_text() -> Extract:
    import pypdfium2

    def extract(data: bytes) -> tuple[int, int]:
        document = pypdfium2.PdfDocument(data)
        characters = 0
        for index in range(len(document)):
            page = document[index]
            text = page.get_textpage()
            characters += len(text.get_text_range())
            text.close()
            page.close()
        count = len(document)
        document.close()
        return count, characters

    return extract


def _ndfd_arrays() -> Extract:
    from ndfd.native import pdftext

    pdftext.initialise()

    def extract(data: bytes) -> tuple[int, int]:
        with pdftext.Document(data) as document:
            count = document.page_count
            return count, sum(document.page(index).count for index in range(count))

    return extract


def _ndfd_markdown() -> Extract:
    from ndfd.document import convert
    from ndfd.model.conversion import ConvertOptions
    from ndfd.native import pdftext

    pdftext.initialise()
    options = ConvertOptions()

    def extract(data: bytes) -> tuple[int, int]:
        content, report = convert(data, options, lambda page: None)
        return report.pages, len(content.decode())

    return extract


def _pymupdf_text() -> Extract:
    import pymupdf

    pymupdf.TOOLS.mupdf_display_errors(False)

    def extract(data: bytes) -> tuple[int, int]:
        with pymupdf.open(stream=data, filetype="pdf") as document:
            if document.needs_pass:
                raise ValueError("needs a password")
            return document.page_count, sum(len(page.get_text("text")) for page in document)

    return extract


def _pdf_oxide(method: str) -> Callable[[], Extract]:
    def prepare() -> Extract:
        import pdf_oxide

        pdf_oxide.disable_logging()

        def extract(data: bytes) -> tuple[int, int]:
            document = pdf_oxide.PdfDocument.from_bytes(data)
            read = getattr(document, method)
            count = document.page_count()
            return count, sum(len(read(index)) for index in range(count))

        return extract

    return prepare


#: In the order of the table; the first is what the others are compared with.
ENGINES = (
    Engine("pypdfium2", "plain text", False, _pypdfium2_text),
    Engine("ndfd-arrays", "all characters with boxes", False, _ndfd_arrays),
    Engine("ndfd-markdown", "structured Markdown", False, _ndfd_markdown),
    Engine("pymupdf", "plain text", True, _pymupdf_text),
    Engine("pdf-oxide-text", "plain text", True, _pdf_oxide("extract_text")),
    Engine("pdf-oxide-markdown", "Markdown", True, _pdf_oxide("to_markdown")),
)


def engine(name: str) -> Engine:
    """The engine of that name; KeyError for none."""
    return {candidate.name: candidate for candidate in ENGINES}[name]
