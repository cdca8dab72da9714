"""PDFium through its own binding, for the tests that hold the builders to what they promise."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pypdfium2


@contextlib.contextmanager
def opened(data: bytes, password: str | None = None) -> Iterator[pypdfium2.PdfDocument]:
    """The document, closed at the end; pypdfium2.PdfiumError when PDFium refuses it."""
    document = pypdfium2.PdfDocument(data, password=password)
    try:
        yield document
    finally:
        document.close()


def page_text(document: pypdfium2.PdfDocument, index: int) -> str:
    """The plain text of a page with "\\n" at line ends; pypdfium2.PdfiumError when PDFium cannot load it."""
    page = document[index]
    text_page = page.get_textpage()
    text = str(text_page.get_text_range()).replace("\r\n", "\n")
    text_page.close()
    page.close()
    return text


def texts(data: bytes, password: str | None = None) -> list[str]:
    """The plain text of every page."""
    with opened(data, password) as document:
        return [page_text(document, index) for index in range(len(document))]


_CHILD = """
import sys, time
from pathlib import Path
from tests.documents.engine import texts
texts(sys.stdin.buffer.read())
# Not ru_maxrss: it begins with the parent's (getrusage(2) keeps it over execve), and the test's own process is larger.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
print(time.process_time(), int(peak.split()[1]) * 1024)
"""


def cost_in_child(data: bytes, timeout_s: float) -> tuple[float, int]:
    """CPU seconds and peak resident bytes of a child that reads every page; subprocess.TimeoutExpired, with the child
    killed, when it takes longer than `timeout_s`."""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=data,
        capture_output=True,
        check=True,
        cwd=root,
        timeout=timeout_s,
    )
    cpu_s, rss_bytes = done.stdout.split()
    return float(cpu_s), int(rss_bytes)
