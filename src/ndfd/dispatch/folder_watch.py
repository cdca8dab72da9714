"""One watch folder: looked into when something may have changed, its settled files given to the queue, each once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from ndfd.dispatch.file_names import shown_name, stored_path, taken_path
from ndfd.dispatch.settling import Settling
from ndfd.dispatch.sources import open_source
from ndfd.dispatch.watch_results import put_refusal
from ndfd.dispatch.watches import Found, Watch, look
from ndfd.errors import DocumentChanged, NdfdError, NotPermitted
from ndfd.model.conversion import ConvertOptions
from ndfd.model.jobs import JobFault, JobOptions, Submission
from ndfd.store import TakenFile

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: On its own account a folder is looked into so often: changes that other machines make on a network file system come
#: without an event.
RESCAN_S = 60.0
#: After a look into a folder that took long, the next one waits for so many times as long.
_REST_FACTOR = 4.0
#: A folder or a file that cannot be read is tried again after this.
_UNREADABLE_S = 10.0
#: Where nobody says when to try again.
_BUSY_S = 2.0
#: A folder that has just been made may have got files before anybody watched it.
_NEW_FOLDER_S = 1.0
#: Submissions under way at a time: so many share an fsync, and as many descriptors are open.
_AT_ONCE = 32


class Taken(Protocol):
    """What the store remembers of files that were taken."""

    async def taken_files(self, watch: str) -> Mapping[str, str]: ...

    async def drop_taken(self, watch: str, paths: Sequence[str]) -> None: ...


#: Takes a document in as a job; what it is given back for is on the disk, the file's mark with it.
Submit = Callable[[int, JobOptions, TakenFile, tuple[str, ...] | None], Awaitable[Submission]]


class FolderWatch:
    """Takes files until it is stopped. `replaced` is called when the folder is another one than before."""

    def __init__(
        self,
        name: str,
        watch: Watch,
        submit: Submit,
        taken: Taken,
        replaced: Callable[[], None],
        threads: ThreadPoolExecutor,
    ) -> None:
        self.name = name
        self.watch = watch
        self._submit = submit
        self._taken = taken
        self._replaced = replaced
        self._threads = threads
        self._settling = Settling(watch.settle_s)
        #: By path, the mark that was taken.
        self._marks: dict[str, str] = {}
        #: By path, the mark of a file that cannot become a job, and when it is tried again; None: when it has changed.
        self._refused: dict[str, tuple[str, float | None]] = {}
        self._folders: tuple[tuple[int, int], ...] = ()
        self._said: frozenset[str] = frozenset()
        self._busy_until = 0.0
        self._poked = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"watch {name}")

    def poke(self) -> None:
        """Something may have changed."""
        self._poked.set()

    async def stop(self) -> None:
        """Takes nothing more. Returns when what is on its way into the store is there."""
        self._stopping.set()
        self._poked.set()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            try:
                taken = await self._taken.taken_files(self.name)
                self._marks = {taken_path(path): mark for path, mark in taken.items()}
                while not self._stopping.is_set():
                    self._poked.clear()
                    begun = loop.time()
                    due = await self._look()
                    # A burst is one look after the other otherwise.
                    rest = loop.time() + (loop.time() - begun) * _REST_FACTOR
                    await self._until(self._poked, max(min(due, begun + RESCAN_S), rest))
                    await self._until(self._stopping, rest)
            except NdfdError as error:
                # The store: it says to its own log and status what ails it.
                _log.warning("watch %s: %s", self.name, error)
                await self._until(self._stopping, loop.time() + _UNREADABLE_S)

    async def _until(self, event: asyncio.Event, moment: float) -> None:
        """The event or the moment, whichever comes first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(moment):
                await event.wait()

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def _look(self) -> float:
        """One look and what follows from it; returns when the next one is due."""
        loop = asyncio.get_running_loop()
        try:
            found = await self._in_thread(look, self.watch)
        except OSError as error:
            self._say({f"{self.watch.path} cannot be read: {error.strerror}"})
            return loop.time() + _UNREADABLE_S
        self._say({f"{self.watch.path}: {each}" for each in found.unreadable})
        later = self._new_folders(found)
        await self._drop_gone(found)
        now = loop.time()
        self._refused = {
            path: refused
            for path, refused in self._refused.items()
            if found.marks.get(path) == refused[0] and (refused[1] is None or refused[1] > now)
        }
        fresh = {
            path: mark
            for path, mark in found.marks.items()
            if self._marks.get(path) != mark and path not in self._refused
        }
        settled = self._settling.look(fresh, now)
        if settled.ready and now >= self._busy_until:
            await self._take_all(settled.ready, fresh)
        retries = [moment for _, moment in self._refused.values() if moment is not None]
        busy = [self._busy_until] if settled.ready and self._busy_until > loop.time() else []
        still = [loop.time()] if any(self._is_left(path, fresh) for path in settled.ready) and not busy else []
        next_at = [] if settled.next_at is None else [settled.next_at]
        return min([*retries, *busy, *still, *next_at, *later], default=now + RESCAN_S)

    def _is_left(self, path: str, fresh: Mapping[str, str]) -> bool:
        """Whether it was settled and yet not taken: it is looked at again after it has settled anew."""
        return self._marks.get(path) != fresh[path] and path not in self._refused

    def _new_folders(self, found: Found) -> list[float]:
        former, self._folders = self._folders, found.folders
        if former and former[0] != found.folders[0]:
            self._replaced()
        if set(found.folders) <= set(former):
            return []
        return [asyncio.get_running_loop().time() + _NEW_FOLDER_S]

    async def _drop_gone(self, found: Found) -> None:
        """Whoever comes to a path that was left is a new file, even if it is the old one come back."""
        # Not those of a file system that is not mounted now: they will be there again.
        devices = {str(device) for device, _ in found.folders}
        gone = [
            path for path, mark in self._marks.items() if path not in found.marks and mark.partition(":")[0] in devices
        ]
        if not gone or found.unreadable:
            return
        await self._taken.drop_taken(self.name, [stored_path(path) for path in gone])
        for path in gone:
            del self._marks[path]

    async def _take_all(self, paths: Sequence[str], marks: Mapping[str, str]) -> None:
        waiting = iter(paths)

        async def some() -> None:
            for path in waiting:
                if self._stopping.is_set() or asyncio.get_running_loop().time() < self._busy_until:
                    return
                await self._take(path, marks[path])

        async with asyncio.TaskGroup() as group:
            for _ in range(min(_AT_ONCE, len(paths))):
                group.create_task(some())

    async def _take(self, path: str, mark: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            fd = await self._in_thread(open_source, self.watch.path, path, mark)
            try:
                taken = TakenFile(self.name, stored_path(path), mark)
                await self._submit(fd, self._options(path), taken, self.watch.hooks)
            finally:
                os.close(fd)
        except FileNotFoundError:
            return
        except DocumentChanged:
            self._settling.restart(path, loop.time())
        except OSError as error:
            fault = JobFault("input", f"the file cannot be read: {error.strerror}", "check its permissions", True)
            await self._refuse(path, mark, fault, loop.time() + RESCAN_S)
        except NotPermitted as error:
            # A change of its owner or its mode is none of the file.
            await self._refuse(path, mark, JobFault.of(error), loop.time() + RESCAN_S)
        except NdfdError as error:
            if error.retryable:
                self._busy_until = loop.time() + (error.retry_after_s or _BUSY_S)
                self._say({f"files wait: {error}"})
            else:
                await self._refuse(path, mark, JobFault.of(error), None)
        else:
            self._marks[path] = mark

    def _options(self, path: str) -> JobOptions:
        watch = self.watch
        convert = ConvertOptions(format=watch.format, name=shown_name(path), pool=watch.pool)
        return JobOptions(convert, watch.priority, labels={"watch": self.name})

    async def _refuse(self, path: str, mark: str, fault: JobFault, again_at: float | None) -> None:
        self._refused[path] = (mark, again_at)
        _log.warning("watch %s: %s is not taken: %s", self.name, shown_name(path), fault.message)
        number = mark.replace(":", "-")
        try:
            await self._in_thread(put_refusal, self.watch, path, number, fault)
        except OSError as error:
            _log.error("watch %s: no error file can be written: %s", self.name, error.strerror)

    def _say(self, messages: set[str]) -> None:
        """Logs what was not so before."""
        for message in sorted(messages - self._said):
            _log.warning("watch %s: %s", self.name, message)
        self._said = frozenset(messages)
