"""Watches the files of the configuration, for `[development] hot_reload`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ndfd.dispatch.folder_events import folder_events

_log = logging.getLogger(__name__)

#: Seconds in which changes are gathered: an editor that saves makes several.
_GATHER_S = 0.1

#: By path, what tells a file from what it was: inode, time of its last change in nanoseconds, size.
_State = dict[Path, tuple[int, int, int]]


class FileWatch:
    """Calls `changed` from the event loop after a file that is followed has changed, appeared or gone.

    What a link leads to counts, not the link: where a whole folder is replaced by turning a link, as Kubernetes does
    with a ConfigMap, no event names the file.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._folders: tuple[Path, ...] = ()
        self._files: tuple[Path, ...] = ()
        self._state: _State = {}
        self._watched: frozenset[Path] = frozenset()
        self._task: asyncio.Task[None] | None = None

    def follow(self, folders: Iterable[Path], files: Iterable[Path]) -> None:
        """From now on: every TOML file in `folders`, and `files`. With neither, nothing is watched any more."""
        self._folders, self._files = tuple(folders), tuple(files)
        self._state = self._look()
        # A watch that goes on misses nothing; one that is begun anew might.
        if self._to_watch() != self._watched or self._task is None or self._task.done():
            self._cancel()
            if self._folders or self._files:
                self._task = asyncio.create_task(self._watch(), name="file watch")

    async def stop(self) -> None:
        """Watches nothing any more."""
        task = self._task
        self._cancel()
        if task is not None:
            await asyncio.wait([task])

    def _cancel(self) -> None:
        self._watched = frozenset()
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
        """Until other folders have to be watched."""
        self._watched = watched = self._to_watch()
        # What changed before the system has begun to watch is seen by a look after it has.
        asyncio.get_running_loop().call_later(_GATHER_S, self._compare)
        async with contextlib.aclosing(folder_events(watched, _GATHER_S)) as events:
            async for _ in events:
                self._compare()
                if self._to_watch() != watched:
                    return

    def _compare(self) -> None:
        former, self._state = self._state, self._look()
        if self._state != former:
            self._changed()

    def _to_watch(self) -> frozenset[Path]:
        """The folders of the files and of what they lead to; of one that is not there its nearest parent instead."""
        folders = {*self._folders, *(path.parent for path in self._files)}
        folders |= {path.resolve().parent for path in self._paths()}
        return frozenset(next(each for each in (folder, *folder.parents) if each.is_dir()) for folder in folders)

    def _paths(self) -> Iterator[Path]:
        for folder in self._folders:
            with contextlib.suppress(OSError):
                yield from (path for path in folder.iterdir() if path.suffix == ".toml")
        yield from self._files

    def _look(self) -> _State:
        state: _State = {}
        for path in self._paths():
            with contextlib.suppress(OSError):
                status = path.stat()
                state[path] = (status.st_ino, status.st_mtime_ns, status.st_size)
        return state
