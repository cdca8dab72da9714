"""The bar of a transfer: bytes, bytes per second, the rest of the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text


class _Size(ProgressColumn):
    """What is asked for when the bar is drawn: somebody else does the work, and tells nothing."""

    def __init__(self, size: Callable[[], int]) -> None:
        super().__init__()
        self._size = size

    def render(self, task: Task) -> Text:
        """In MB (10^6)."""
        return Text(f"{self._size() / 1e6:.0f} MB")


@contextmanager
def transfer_bar(what: str, size: Callable[[], int] | None) -> Iterator[Callable[[int, int | None], None]]:
    """One bar on stderr for the length of the block."""
    if size is not None:
        columns: tuple[ProgressColumn, ...] = (_Size(size), TimeElapsedColumn())
    else:
        columns = (BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(TextColumn(what), *columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("", total=None)

        def told(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        yield told
