"""Writes what became of runs into the store, and goes on trying while the store cannot take it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Awaitable, Callable

import structlog

from ndfd.errors import NdfdError, StorageFull
from ndfd.model.conversion import Converted
from ndfd.model.job_states import JobEvent
from ndfd.model.jobs import Job, JobFault
from ndfd.store import Ending, Step, Store

_log = structlog.get_logger(__name__)

#: Results that are done and not on the disk are in memory. With more than that no further run begins.
HELD_MAX_BYTES = 64_000_000
HELD_MAX = 256
#: Seconds between attempts to write: the first, doubling up to the last.
RETRY_FIRST_S, RETRY_LAST_S = 0.1, 10.0
#: A result that alone is more than may be held, and for which the disk has no room so many times in a row, is made anew
#: later: the results of all others wait for it.
_TOO_LARGE_TRIES = 8
_TOO_LARGE_DELAY_S = 300.0


class Outcomes:
    """Nothing of it is lost while the daemon lives; when it ends before, the job runs again."""

    def __init__(self, store: Store, changed: Callable[[], None]) -> None:
        """`changed` is called whenever `blocked` may have become false."""
        self._store = store
        self._changed = changed
        self._given_up = asyncio.Event()
        #: Writes that the store has refused and that are tried again.
        self._failing = 0
        self.held = 0
        self.held_bytes = 0

    @property
    def blocked(self) -> bool:
        """Whether no further run should begin: it could not be written either, and workers would work for nothing."""
        return self._failing > 0 or self.held_bytes > HELD_MAX_BYTES or self.held > HELD_MAX

    async def succeeded(self, job: Job, result: Converted) -> bool:
        """The run has this result, whose descriptor is closed; whether it is the job's now, on the disk."""
        size = result.report.size_bytes
        self.held += 1
        self.held_bytes += size
        try:
            self._store.reached(Step.RUN_ENDED)
            too_large = size > HELD_MAX_BYTES
            return await self._written(
                job,
                lambda: self._store.succeed(job, result.fd, result.report),
                _TOO_LARGE_TRIES if too_large else None,
            )
        except StorageFull as error:
            later = Ending(JobEvent.POSTPONED, JobFault.of(error), self._store.now() + _TOO_LARGE_DELAY_S, counts=False)
            await self.ended(job, later)
            return False
        finally:
            os.close(result.fd)
            self.held -= 1
            self.held_bytes -= size
            self._changed()

    async def ended(self, job: Job, ending: Ending) -> bool:
        """The run has ended without one; whether it was the job's still."""
        return await self._written(job, lambda: self._store.end(job, ending), None)

    def give_up(self) -> None:
        """What fails from now on is not tried again: the next life of the daemon finds the runs interrupted."""
        self._given_up.set()

    async def _written(self, job: Job, write: Callable[[], Awaitable[bool]], full_tries: int | None) -> bool:
        """`StorageFull` after so many tries in which the disk was full; never with None."""
        tries, delay_s, failing = 0, RETRY_FIRST_S, False
        try:
            while True:
                try:
                    return await write()
                except Exception as error:
                    # Whatever it is, the run must not be lost over it. However long that takes, no worker is at it.
                    self._store.under_way.remove(job)
                    tries += 1
                    full = isinstance(error, StorageFull)
                    if full and full_tries is not None and tries >= full_tries:
                        raise
                    # A full disk refuses large ones first: others may still have room.
                    self._failing += (not full) - failing
                    failing = not full
                    _log.error(
                        "what became of a job cannot be written: it is tried again",
                        job=job.id,
                        reason=str(error),
                        exc_info=None if isinstance(error, (NdfdError, OSError)) else error,
                    )
                if await self._give_up_within(delay_s * random.uniform(1.0, 1.5)):  # noqa: S311 - spreads, no secret
                    return False
                delay_s = min(delay_s * 2, RETRY_LAST_S)
        finally:
            if failing:
                self._failing -= 1
            if tries:
                self._changed()

    async def _give_up_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._given_up.wait()
        return self._given_up.is_set()
