"""The durable jobs of a daemon: the store, the loop that runs them, deliveries of their ends, watch folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ndfd.config.load import Loaded
from ndfd.config.settings import Settings
from ndfd.daemon.delivery_plans import delivery_plans
from ndfd.daemon.job_parts import job_policy, state_dir
from ndfd.daemon.running_pool import PoolPlan
from ndfd.dispatch import JobService, Policy
from ndfd.dispatch.conversions import Pools
from ndfd.dispatch.deliveries import Deliveries
from ndfd.dispatch.hooks import Hook
from ndfd.dispatch.watches import Watch
from ndfd.dispatch.watching import Watching
from ndfd.model.job_states import JobState
from ndfd.model.jobs import JobOptions, Submission
from ndfd.model.status import JobsStatus
from ndfd.store import Step, Store, TakenFile


def open_store(
    settings: Settings, reached: Callable[[Step], None], opening: Callable[[str], None] = lambda doing: None
) -> Store | None:
    """The store that the configuration names; None where no jobs are kept. Blocks while it looks at what it holds.

    `StoreError`, `StoreDamaged` or `ConfigError` say why it cannot be used. `reached` is told of each step of a job,
    `opening` of what goes on while it blocks.
    """
    if not settings.jobs.enabled:
        return None
    return Store.open(
        state_dir(settings.storage), keep_free_bytes=settings.storage.keep_free, reached=reached, opening=opening
    )


@dataclass(frozen=True, slots=True)
class JobParts:
    """What one generation says of jobs."""

    policy: Policy
    hooks: Mapping[str, Hook]
    watches: Mapping[str, Watch]

    @classmethod
    def of(cls, loaded: Loaded, plans: Mapping[str, PoolPlan]) -> JobParts:
        """`ConfigError` for what does not fit this machine. Blocks: it looks at folders, and for users."""
        deliveries = delivery_plans(loaded)
        return cls(job_policy(loaded.settings, plans, deliveries.hooks), deliveries.hooks, deliveries.watches)


class DurableJobs:
    """Made within the event loop that it runs in. `start` first; `stop_running` before the pools end, `close` last."""

    def __init__(self, store: Store, pools: Callable[[], Pools], engine: Callable[[], str], settings: Settings) -> None:
        """`pools` and `engine` give those of the generation that serves."""
        self._store = store
        self.service = JobService(store, pools, job_policy(settings, {}, {}), engine)
        self._deliveries = Deliveries(store)
        self._watching = Watching(self._take, store)
        self._started = False

    async def start(self, parts: JobParts) -> None:
        """Begins with what an earlier life has left."""
        await self._store.start()
        self._started = True
        self.service.reconfigure(parts.policy)
        self.service.start()
        await self._deliveries.start(parts.hooks, parts.watches)
        await self._watching.reconfigure(parts.watches)

    def use(self, parts: JobParts) -> None:
        """These hold from now on; `watch` follows."""
        self.service.reconfigure(parts.policy)
        self._deliveries.reconfigure(parts.hooks, parts.watches)

    async def watch(self, parts: JobParts) -> None:
        """Watches these folders from now on; returns when no other is any more."""
        await self._watching.reconfigure(parts.watches)

    async def stop_running(self, grace_s: float) -> None:
        """Takes nothing more, gives what runs `grace_s` seconds, and puts the rest back in the queue."""
        if self._started:
            await self._watching.stop()
            await self.service.stop(grace_s)

    async def close(self) -> None:
        """Returns when all that was asked for is on the disk and the store is closed."""
        if self._started:
            await self._deliveries.stop()
        await self._store.close()

    def live(self) -> int:
        """Jobs that have not ended."""
        return self._store.load(0).jobs

    def stuck(self) -> str | None:
        """Why nothing goes on although it should; None while all is well."""
        return self._store.stuck()

    def status(self) -> JobsStatus:
        """How they stand."""
        counts, totals = self.service.counts(), self._store.totals()
        return JobsStatus(
            state_dir=str(self._store.folder),
            queued=totals.queued,
            running=totals.running,
            succeeded=totals.jobs[JobState.SUCCEEDED],
            failed=totals.jobs[JobState.FAILED],
            quarantined=totals.jobs[JobState.QUARANTINED],
            cancelled=totals.jobs[JobState.CANCELLED],
            # Not what the spool has: whether that has grown tells of the documents of others.
            spool_bytes=totals.bytes_live + totals.bytes_finished,
            free_bytes=totals.bytes_free,
            recovered=counts.recovered,
            oldest_queued_s=counts.oldest_queued_s,
            deliveries_failed=self._deliveries.given_up,
        )

    async def _take(
        self, document_fd: int, options: JobOptions, taken: TakenFile, hooks: tuple[str, ...] | None
    ) -> Submission:
        """A file of a watch folder, on behalf of the daemon's own user."""
        return await self.service.submit(document_fd, options, uid=os.geteuid(), taken=taken, hooks=hooks)
