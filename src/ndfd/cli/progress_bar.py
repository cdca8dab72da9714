"""The progress bar: documents, pages, pages per second, failures."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Bar:
    """One bar on stderr for a whole command; it disappears at the end, the summary stays."""

    def __init__(self, documents: int, *, pages: bool = True) -> None:
        """Without `pages` it counts documents per second."""
        self._counts_pages = pages
        self._progress = Progress(
            TextColumn("documents"),
            MofNCompleteColumn(),
            BarColumn(bar_width=24),
            TextColumn(
                "{task.fields[pages]} pages, {task.fields[rate]} pages/s, {task.fields[failed]} failed"
                if pages
                else "{task.fields[rate]} documents/s, {task.fields[failed]} failed"
            ),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,
        )
        self._task = self._progress.add_task("", total=documents, pages=0, rate="0", failed=0)
        self._lock = threading.Lock()
        self._pages = 0
        self._documents = 0
        self._failed = 0
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def page(self, count: int = 1) -> None:
        """So many more pages are finished."""
        with self._lock:
            self._pages += count
            self._progress.update(self._task, pages=self._pages, rate=self._rate(self._pages))

    def document(self, failed: bool) -> None:
        """A document is finished, one way or the other."""
        with self._lock:
            self._documents += 1
            self._failed += failed
            rate = self._rate(self._pages if self._counts_pages else self._documents)
            self._progress.update(self._task, advance=1, failed=self._failed, rate=rate)

    def say(self, line: str) -> None:
        """Prints a line above the bar."""
        self._progress.console.print(escape(line), highlight=False, soft_wrap=True)

    def _rate(self, count: int) -> str:
        return f"{count / max(time.monotonic() - self._begun, 0.001):.0f}"
