"""How far a conversion of many documents is: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click


class Progress(Protocol):
    """What is told of a running conversion; any thread may call it."""

    def page(self, count: int = 1) -> None:
        """So many more pages are finished."""

    def document(self, failed: bool) -> None:
        """A document is finished, one way or the other."""

    def say(self, line: str) -> None:
        """Prints a line for the user."""


class Silent:
    """For pipes and logs, where a bar is noise: only the lines."""

    def page(self, count: int = 1) -> None:
        """Not shown."""

    def document(self, failed: bool) -> None:
        """Not shown."""

    def say(self, line: str) -> None:
        """One line on stderr."""
        click.echo(line, err=True)


@contextmanager
def progress_for(documents: int, wanted: bool, *, pages: bool = True) -> Iterator[Progress]:
    """A bar for the length of the block where it is wanted and stderr is a terminal, and silence otherwise.

    Without `pages` none are counted, only documents.
    """
    if not wanted or not sys.stderr.isatty():
        yield Silent()
        return
    # Needs rich: 20 ms that nothing but a terminal pays.
    from ndfd.cli.progress_bar import Bar

    with Bar(documents, pages=pages) as bar:
        yield bar
