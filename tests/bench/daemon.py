"""A daemon of the benchmark's own, reached over its real socket."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ndfd.client.private import PrivateDaemon
from ndfd.errors import NdfdError


@contextlib.contextmanager
def private_daemon(arguments: Sequence[str] = ()) -> Iterator[Path]:
    """The Varlink socket of a daemon that runs for the length of the block; SystemExit when it does not start.

    `arguments` are further ones of `ndfd run`.
    """
    with contextlib.ExitStack() as stack:
        try:
            daemon = stack.enter_context(PrivateDaemon(arguments))
        except NdfdError as error:
            raise SystemExit(f"scripts/bench: the daemon did not start: {error}") from error
        yield daemon.socket
