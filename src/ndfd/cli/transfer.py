"""How far something is that takes as long as its bytes: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Told how many bytes of how many are done; of some things it is not known how many there are.
Told = Callable[[int, int | None], None]


@contextmanager
def transfer(what: str, wanted: bool, size: Callable[[], int] | None = None) -> Iterator[Told]:
    """A bar for the length of the block, if wanted and stderr is a terminal. `size`, where given, is asked instead."""
    if not wanted or not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    # Needs rich: 20 ms that nothing but a terminal pays.
    from ndfd.cli.transfer_bar import transfer_bar

    with transfer_bar(what, size) as told:
        yield told
