"""The cyclic collector, which a conversion does not need."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_cycles_sought() -> Iterator[None]:
    """Pauses the cyclic collector: a conversion makes no cycles (held by a test), and passes over the drafts of a long
    document are 2 % of its CPU."""
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()
