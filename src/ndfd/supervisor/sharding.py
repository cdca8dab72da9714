"""Long documents, read by several workers: a layer above the pool that converts as the pool does.

The pool is asked for the whole document first. When its worker says that it is too long, its sections are read by as
many workers as there are, and one worker composes what they read. All that a worker says passes through `conversion`,
so that nothing needs to be judged here.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from ndfd.errors import Busy, ConversionTimeout
from ndfd.model.conversion import ConversionReport, ConvertOptions, OnPage, PageReport
from ndfd.model.sections import SECTION_PAGES, sections
from ndfd.protocol import frames
from ndfd.supervisor.conversion import Result
from ndfd.supervisor.document_state import DocumentState
from ndfd.supervisor.pool import Pool
from ndfd.supervisor.spawner import Clock
from ndfd.supervisor.task import Task, TooLong, never, nothing


class Sharding:
    """Converts as the pool does, long documents by parts."""

    def __init__(self, pool: Pool, workers: int, pages_max: int | None, clock: Clock | None = None) -> None:
        """A document of more than `pages_max` pages, and of more than one section, is read by up to `workers` at once;
        none with None. With one worker there is nothing to be gained."""
        self._pool = pool
        self._workers = workers
        self._pages_max = None if pages_max is None or workers < 2 else max(pages_max, SECTION_PAGES)
        self._clock: Clock = clock or asyncio.get_running_loop()

    async def convert(
        self,
        document_fd: int,
        options: ConvertOptions,
        *,
        uid: int,
        on_page: OnPage | None = None,
        background: Callable[[], bool] = never,
        on_worker: Callable[[], None] = nothing,
    ) -> Result:
        """As `Pool.convert`; the pages of a long document are told as they are finished, so not quite in order.

        While it waits for a worker and `background` says so, it waits behind all others. `on_worker` is called when the
        first worker gets it, and perhaps again when it is tried anew.
        """
        if self._pages_max is None:
            task = Task(background=background, on_worker=on_worker)
            return await self._pool.convert(document_fd, options, uid=uid, on_page=on_page, task=task)
        begun, document = self._clock.time(), DocumentState.of(document_fd)
        whole = Task(frames.Whole(self._pages_max), (), document, background, on_worker)
        try:
            return await self._pool.convert(document_fd, options, uid=uid, on_page=on_page, task=whole)
        except TooLong as answer:
            pages = answer.pages
        caller = _Caller(document_fd, document, options, uid, on_page)
        with contextlib.ExitStack() as parts:
            return await _LongDocument(self._pool, self._clock, caller, pages, begun, parts).convert(self._workers)


class _Caller(NamedTuple):
    """What was asked, and by whom."""

    document_fd: int
    document: DocumentState
    options: ConvertOptions
    uid: int
    on_page: OnPage | None


class _LongDocument:
    """One document on its way through several workers."""

    def __init__(
        self, pool: Pool, clock: Clock, caller: _Caller, pages: int, begun: float, parts: contextlib.ExitStack
    ) -> None:
        """`begun` is the time at which its deadline began to run; `parts` closes the descriptors of what was read."""
        deadline_s = caller.options.deadline_s
        assert deadline_s is not None, "a conversion without a deadline"
        self._pool = pool
        self._clock = clock
        self._caller = caller
        self._pages = pages
        self._due_at = begun + deadline_s
        self._closing = parts
        self._sections = sections(pages)
        self._left = iter(range(len(self._sections)))
        self._reports: dict[int, ConversionReport] = {}
        self._fds: dict[int, int] = {}
        self._pages_told = 0

    async def convert(self, workers: int) -> Result:
        """Reads it with so many workers and composes it."""
        try:
            async with asyncio.TaskGroup() as readers:
                # No more at a time than there are workers: the queue is for other callers.
                for _ in range(min(workers, len(self._sections))):
                    readers.create_task(self._read())
        except BaseExceptionGroup as group:
            # Of the failures the first is the cause: the others may be of the same document, and tell no more.
            raise group.exceptions[0] from None
        return await self._compose()

    async def _read(self) -> None:
        for index in self._left:
            section = self._sections[index]
            work = frames.Part(section.first, section.last, self._pages)
            task = Task(work, document=self._caller.document, background=functools.partial(self._is_background, index))
            result = await self._ask(task, self._tell)
            self._closing.callback(os.close, result.fd)
            self._fds[index], self._reports[index] = result.fd, result.report

    async def _compose(self) -> Result:
        order = range(len(self._sections))
        work = frames.Compose(len(order), self._pages)
        parts = tuple(self._fds[index] for index in order)
        result = await self._ask(Task(work, parts, self._caller.document), None)
        reports = [*self._reports.values(), result.report]
        report = msgspec.structs.replace(
            result.report,
            cpu_s=sum(each.cpu_s for each in reports),
            rss_max_bytes=max(each.rss_max_bytes for each in reports),
        )
        return Result(report, result.fd)

    async def _ask(self, task: Task, on_page: OnPage | None) -> Result:
        """Within what is left of the whole conversion's time, which is what the caller is told of when it is over."""
        caller = self._caller
        left_s = max(self._due_at - self._clock.time(), 0.0)
        options = msgspec.structs.replace(caller.options, deadline_s=left_s)
        try:
            return await self._pool.convert(caller.document_fd, options, uid=caller.uid, on_page=on_page, task=task)
        except (Busy, ConversionTimeout) as error:
            read = f"{self._pages_told} of {self._pages} pages were read"
            message = f"not done after {caller.options.deadline_s:g} s: {read}"
            raise ConversionTimeout(message, page=error.page) from error

    def _tell(self, page: PageReport) -> None:
        self._pages_told += 1
        if self._caller.on_page is not None:
            self._caller.on_page(page)

    def _is_background(self, index: int) -> bool:
        """The first of those that are not read yet waits like any other conversion, so that the document gets on
        however busy the workers are; the others take what nobody else wants."""
        return any(before not in self._fds for before in range(index))
