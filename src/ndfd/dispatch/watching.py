"""The watch folders together: the system's events wake those whose folder they are of, and a look says what happened.

An event is believed nothing but that it is worth a look. So it costs nothing when the queue of events overflows
(inotify(7), IN_Q_OVERFLOW): what was lost came before the last event that was not, and the look comes after that.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ndfd.dispatch.folder_events import folder_events
from ndfd.dispatch.folder_watch import FolderWatch, Submit, Taken
from ndfd.dispatch.watches import Watch

_log = logging.getLogger(__name__)

#: Seconds in which events are gathered.
_GATHER_S = 0.1
#: A folder that cannot be watched, or is not there, is tried again after this.
_AGAIN_S = 5.0
#: Folders that are looked into at a time; in threads of their own, for a network file system may not answer at all.
_THREADS = 4


class Watching:
    """All watch folders of a daemon. Made and used in its event loop."""

    def __init__(self, submit: Submit, taken: Taken) -> None:
        self._submit = submit
        self._taken = taken
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ndfd-watch")
        self._folders: dict[str, FolderWatch] = {}
        #: One for the watches that look into the folders below theirs, one for the others.
        self._notices: dict[bool, asyncio.Task[None]] = {}
        self._watched: dict[bool, frozenset[Path]] = {}

    async def reconfigure(self, watches: Mapping[str, Watch]) -> None:
        """From now on these; those that are as before go on undisturbed. Also the start."""
        ended = [each for name, each in self._folders.items() if watches.get(name) != each.watch]
        await asyncio.gather(*(each.stop() for each in ended))
        kept = {name: each for name, each in self._folders.items() if each not in ended}
        self._folders = {name: kept.get(name) or self._make(name, watch) for name, watch in watches.items()}
        for recursive in (False, True):
            paths = frozenset(watch.path for watch in watches.values() if watch.recursive == recursive)
            if paths != self._watched.get(recursive, frozenset()):
                self._watched[recursive] = paths
                self._watch(recursive)

    async def stop(self) -> None:
        """Takes nothing more."""
        await self.reconfigure({})
        if self._notices:
            await asyncio.wait(self._notices.values())

    def _make(self, name: str, watch: Watch) -> FolderWatch:
        replaced = functools.partial(self._watch, watch.recursive)
        return FolderWatch(name, watch, self._submit, self._taken, replaced, self._threads)

    def _watch(self, recursive: bool) -> None:
        """Begins anew: a folder that was replaced is another one to the system."""
        former = self._notices.pop(recursive, None)
        if former is not None:
            former.cancel()
        if self._watched[recursive]:
            self._notices[recursive] = asyncio.create_task(self._notice(recursive, former), name="watch folders")
        elif former is not None:
            self._notices[recursive] = former

    async def _notice(self, recursive: bool, former: asyncio.Task[None] | None) -> None:
        if former is not None:
            await asyncio.wait([former])
        loop = asyncio.get_running_loop()
        while True:
            there = [path for path in self._watched[recursive] if path.is_dir()]
            # What changed before the system has begun to watch is seen by a look after it has.
            soon = loop.call_later(_GATHER_S, self._poke, recursive)
            try:
                if len(there) == len(self._watched[recursive]):
                    await self._events(there, recursive)
                else:
                    # One that is not there yet must not wait for an event of the others, nor they for it.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_AGAIN_S):
                            await self._events(there, recursive)
            except OSError as error:
                # inotify(7): the limits on instances and watches. Each folder is still looked into now and then.
                _log.error("folders cannot be watched: %s", error)
                await asyncio.sleep(_AGAIN_S)
            finally:
                soon.cancel()

    async def _events(self, paths: list[Path], recursive: bool) -> None:
        if not paths:
            await asyncio.sleep(_AGAIN_S)
            return
        async with contextlib.aclosing(folder_events(paths, _GATHER_S, recursive=recursive)) as events:
            async for _ in events:
                self._poke(recursive)

    def _poke(self, recursive: bool) -> None:
        for each in self._folders.values():
            if each.watch.recursive == recursive:
                each.poke()
