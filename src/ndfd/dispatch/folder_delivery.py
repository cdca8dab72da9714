"""Deliveries into folders: results for a hook, and for a watch what becomes of the document too."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from ndfd.dispatch.delivery_lane import FOLDER_AT_ONCE
from ndfd.dispatch.watch_results import put_result, put_watched
from ndfd.dispatch.watches import Watch
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job
from ndfd.store import Delivery


class Results(Protocol):
    """Where results come from."""

    async def result(self, job_id: str, viewer_uid: int | None) -> tuple[Job, int]: ...


class FolderDelivery:
    """Puts the result, or why there is none, into a folder."""

    at_once = FOLDER_AT_ONCE

    def __init__(self, results: Results, path: Path) -> None:
        self._results = results
        self._path = path
        self._threads = _threads()

    async def __call__(self, delivery: Delivery) -> None:
        """OSError when it cannot; doing it again leads to the same."""
        async with _result(self._results, delivery.job) as fd:
            await _to_its_end(self._threads, put_result, self._path, delivery.job, fd)


class WatchDelivery:
    """Puts the result, or why there is none, where the watch says, and then the document away."""

    at_once = FOLDER_AT_ONCE

    def __init__(self, results: Results, watch: Watch) -> None:
        self._results = results
        self._watch = watch
        self._threads = _threads()

    async def __call__(self, delivery: Delivery) -> None:
        """OSError when it cannot; doing it again leads to the same."""
        # One that has been set going again will end again, and that is another delivery.
        if delivery.source is None or not delivery.job.state.is_final:
            return
        async with _result(self._results, delivery.job) as fd:
            await _to_its_end(self._threads, put_watched, self._watch, delivery.job, delivery.source, delivery.id, fd)


def _threads() -> ThreadPoolExecutor:
    """Of one target alone: its folder may be on a network file system that does not answer at all."""
    return ThreadPoolExecutor(FOLDER_AT_ONCE, thread_name_prefix="ndfd-folder")


async def _to_its_end(threads: ThreadPoolExecutor, work: Callable[..., None], *arguments: object) -> None:
    """As `run_in_executor`, but who cancels waits for the thread: it works with a descriptor that is closed next."""
    running = asyncio.get_running_loop().run_in_executor(threads, work, *arguments)
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


@asynccontextmanager
async def _result(results: Results, job: Job) -> AsyncIterator[int | None]:
    if job.state is not JobState.SUCCEEDED:
        yield None
        return
    _, fd = await results.result(job.id, None)
    try:
        yield fd
    finally:
        os.close(fd)
