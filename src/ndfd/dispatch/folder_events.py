"""That something in folders has changed, gathered: what it was has to be looked for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Collection
from pathlib import Path

from ndfd import platform

# It would tell of every batch of events, also of those that our own results are.
logging.getLogger("watchfiles").setLevel(logging.WARNING)


async def folder_events(
    folders: Collection[Path], gather_s: float, *, recursive: bool = False
) -> AsyncGenerator[None, None]:
    """Gives once for all that happens in so many seconds, from the first of it on; with `recursive` also of folders
    in these.

    OSError when one cannot be watched. Close it (`contextlib.aclosing`) where it is not taken to its end.
    """
    if recursive or not platform.FolderEvents.known:
        async with contextlib.aclosing(_polled(folders, gather_s, recursive=recursive)) as polled:
            async for _ in polled:
                yield
        return
    happened = asyncio.Event()
    events = platform.FolderEvents(folders)

    def heard() -> None:
        events.drain()
        happened.set()

    loop = asyncio.get_running_loop()
    loop.add_reader(events.fileno(), heard)
    try:
        while True:
            await happened.wait()
            await asyncio.sleep(gather_s)
            happened.clear()
            yield
    finally:
        loop.remove_reader(events.fileno())
        events.close()


async def _polled(folders: Collection[Path], gather_s: float, *, recursive: bool) -> AsyncGenerator[None, None]:
    """By a library that keeps a thread, and asks the system ten times a second or so."""
    # A megabyte, which most daemons do not need.
    from watchfiles import awatch

    gather_ms = round(gather_s * 1000)
    changes = awatch(
        *folders,
        watch_filter=None,
        debounce=4 * gather_ms,
        step=gather_ms,
        recursive=recursive,
        ignore_permission_denied=True,
    )
    async with contextlib.aclosing(changes):
        async for _ in changes:
            yield
