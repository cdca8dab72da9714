"""Watches the files of the configuration, for `[development] hot_reload`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from watchfiles import awatch

_log = logging.getLogger(__name__)

#: Milliseconds in which changes are gathered: an editor that saves makes several.
_GATHER_MS = 100


class FileWatch:
    """Calls `changed` from the event loop after a file that is followed has changed, appeared or gone."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._folders: tuple[Path, ...] = ()
        self._files: frozenset[Path] = frozenset()
        self._task: asyncio.Task[None] | None = None

    def follow(self, folders: Iterable[Path], files: Iterable[Path]) -> None:
        """From now on: every TOML file in `folders`, and `files`. With neither, nothing is watched any more."""
        self._files = frozenset(files)
        wanted = tuple(dict.fromkeys((*folders, *(path.parent for path in self._files))))
        # A watch that goes on misses nothing; one that is begun anew might.
        if wanted != self._folders or self._task is None or self._task.done():
            self._folders = wanted
            self._cancel()
            if wanted:
                self._task = asyncio.create_task(self._watch(), name="file watch")

    async def stop(self) -> None:
        """Watches nothing any more."""
        task = self._task
        self._cancel()
        if task is not None:
            await asyncio.wait([task])

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _watch(self) -> None:
        try:
            while True:
                await self._watch_those_there()
        except OSError as error:
            # inotify(7): the limits on instances and watches.
            _log.error("the configuration's files cannot be watched: %s", error)

    async def _watch_those_there(self) -> None:
        """Until one of the folders comes or goes."""
        there = self._there()
        # Of a folder that is not there its nearest parent is watched, or nobody would see it come.
        watched = {next(folder for folder in (each, *each.parents) if folder.is_dir()) for each in self._folders}
        changes = awatch(*watched, watch_filter=None, debounce=_GATHER_MS, step=_GATHER_MS // 2, recursive=False)
        async with contextlib.aclosing(changes):
            async for batch in changes:
                if self._there() != there:
                    self._changed()
                    return
                if any(self._concerns(Path(name)) for _, name in batch):
                    self._changed()

    def _there(self) -> tuple[Path, ...]:
        return tuple(folder for folder in self._folders if folder.is_dir())

    def _concerns(self, path: Path) -> bool:
        return path in self._files or (path.suffix == ".toml" and path.parent in self._folders)
