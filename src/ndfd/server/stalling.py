"""Descriptors on file systems that may keep whoever uses them waiting, such as one that the caller has made himself.

A document there is copied into memory by a thread of its own, which may be lost, and so is its descriptor closed: the
daemon's own threads never ask such a file for anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator

from ndfd import platform
from ndfd.errors import Busy, InputError, NdfdError
from ndfd.server.intake import document_size, too_large

#: Threads that may hang at a time for one user, and for all: each holds some 100 KB and a descriptor.
PER_USER_MAX = 2
ALL_MAX = 64
#: Descriptors of one user that wait to be closed, after which nothing more is taken from that user.
LINGERING_MAX = 32
_CHUNK_BYTES = 1 << 20


class Lingering:
    """Closes what callers handed over: the kernel tells a file system of each close, and waits for its answer."""

    def __init__(self, may_stall: Callable[[int], bool] = platform.may_stall) -> None:
        self._may_stall = may_stall
        self._waiting: Counter[int] = Counter()

    def too_many(self, uid: int) -> bool:
        """Whether the file systems of this user keep so many waiting that no more should be taken."""
        return self._waiting[uid] >= LINGERING_MAX

    @contextlib.contextmanager
    def closing(self, descriptors: Iterable[int], uid: int) -> Iterator[None]:
        """Has them closed at the end of the block, which waits for none."""
        try:
            yield
        finally:
            for fd in descriptors:
                if self._may_stall(fd):
                    self._close(fd, uid)
                else:
                    os.close(fd)

    def _close(self, fd: int, uid: int) -> None:
        loop = asyncio.get_running_loop()
        self._waiting[uid] += 1

        def closed() -> None:
            self._waiting[uid] -= 1
            self._waiting += Counter()

        def close() -> None:
            os.close(fd)
            # The loop may be closed: then nobody counts.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(closed)

        threading.Thread(target=close, name="ndfd-slow-close", daemon=True).start()


class Settling:
    """Gives descriptors that can be read without waiting for anybody."""

    def __init__(self, may_stall: Callable[[int], bool] = platform.may_stall) -> None:
        self._may_stall = may_stall
        self._reading: Counter[int] = Counter()

    @contextlib.asynccontextmanager
    async def settled(self, fd: int, uid: int, max_bytes: int, stall_s: float) -> AsyncIterator[int]:
        """The document itself, or a copy of it in memory, for the length of the block.

        `InputError` when nothing comes of it for `stall_s`, `Busy` when too many of this user's are read already,
        `DocumentTooLarge` above `max_bytes`, `UsageError` for what is no regular file.
        """
        if not self._may_stall(fd):
            yield fd
            return
        if self._reading[uid] >= PER_USER_MAX or self._reading.total() >= ALL_MAX:
            raise Busy("too many documents are read from file systems that do not answer at once")
        copied = platform.memfd("ndfd-document")
        try:
            await self._copy(fd, copied, uid, max_bytes, stall_s)
            yield copied
        finally:
            os.close(copied)

    async def _copy(self, fd: int, copied: int, uid: int, max_bytes: int, stall_s: float) -> None:
        copy = _Copy(os.dup(fd), os.dup(copied), max_bytes, self._ended(uid))
        self._reading[uid] += 1
        threading.Thread(target=copy.run, name="ndfd-slow-document", daemon=True).start()
        try:
            done = 0
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(stall_s):
                        await asyncio.shield(copy.outcome)
                        return
                if done == copy.done_bytes and not copy.outcome.done():
                    raise InputError(
                        f"the document's file system has not answered for {stall_s:g} s",
                        hint="copy the document to a local disk first",
                    )
                done = copy.done_bytes
        finally:
            copy.stopped = True

    def _ended(self, uid: int) -> Callable[[], None]:
        def ended() -> None:
            self._reading[uid] -= 1
            self._reading += Counter()

        return ended


class _Copy:
    """One document on its way into memory, in a thread that nobody waits for. It owns its descriptors."""

    def __init__(self, source: int, target: int, max_bytes: int, ended: Callable[[], None]) -> None:
        self._source, self._target = source, target
        self._max_bytes = max_bytes
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[None] = self._loop.create_future()
        #: What nobody asks for is nobody's fault.
        self.outcome.add_done_callback(lambda outcome: outcome.cancelled() or outcome.exception())
        self.done_bytes = 0
        #: Set when nobody wants it any more.
        self.stopped = False

    def run(self) -> None:
        """In the thread."""
        error: NdfdError | None = None
        try:
            self._read()
        except NdfdError as known:
            error = known
        except OSError as unread:
            error = InputError(f"the document cannot be read: {unread.strerror}")
        finally:
            os.close(self._source)
            os.close(self._target)
            # The loop may be closed: then nobody waits.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._end, error)

    def _read(self) -> None:
        document_size(self._source)
        while not self.stopped and (data := os.pread(self._source, _CHUNK_BYTES, self.done_bytes)):
            if self.done_bytes + len(data) > self._max_bytes:
                raise too_large(self._max_bytes)
            view = memoryview(data)
            while view:
                view = view[os.write(self._target, view) :]
            self.done_bytes += len(data)

    def _end(self, error: NdfdError | None) -> None:
        self._ended()
        if error is None:
            self.outcome.set_result(None)
        else:
            self.outcome.set_exception(error)
