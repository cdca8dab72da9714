"""The loop: it leases what the scheduler chooses, has it converted, and writes down what came of it.

It wakes on what happens: a job came, a worker is free, a moment has come. Nothing is polled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import structlog

from ndfd.dispatch.conversions import Pools
from ndfd.dispatch.outcomes import Outcomes
from ndfd.dispatch.places import Places
from ndfd.dispatch.policy import Policy, pool_name
from ndfd.dispatch.rests import Rests
from ndfd.dispatch.run import Run, Told
from ndfd.dispatch.verdict import verdict
from ndfd.errors import JobUnknown, NdfdError, WorkerError, WorkerStartFailed
from ndfd.model.conversion import Converted
from ndfd.model.job_counts import RunningJob
from ndfd.model.job_states import JobEvent, JobState
from ndfd.model.jobs import Job
from ndfd.scheduler import Candidate, Share, Usage, plan
from ndfd.store import Ending, Leased, Ready, Store
from ndfd.supervisor.back_off import BackOff

_log = structlog.get_logger(__name__)

#: For each worker one job more is leased than it can have: a lease waits for the disk, and no worker for a lease.
AHEAD = 2
#: A job at which the daemon ended so often runs while no other such job does: of several that always ran together, the
#: one that ends the daemon is then told from the others, which are not put aside with it.
ALONE_AFTER = 3
#: Seconds for what became of the last runs to be written, when the daemon stops.
_WRITE_S = 5.0
#: The store's clock and the event loop's are not the same: a timer may come a little early.
_DUE_MARGIN_S = 0.002

#: The run is taken back, and the job waits as it did before.
_PUT_BACK = Ending(JobEvent.POSTPONED, counts=False)


class Loop:
    """Made and used within one event loop. `start` first, `stop` last."""

    def __init__(
        self,
        store: Store,
        pools: Callable[[], Pools],
        policy: Policy,
        on_page: Callable[[Run], None],
        on_end: Callable[[Job, JobEvent], None],
    ) -> None:
        """`on_end` is called with the job as it was leased, when it is on the disk that its run ended so."""
        self._store = store
        self._pools = pools
        self._policy = policy
        self._told = Told(self._got_place, lambda run: store.under_way.add(run.job), on_page)
        self._on_end = on_end
        self.outcomes = Outcomes(store, self.wake)
        #: By the ids of their jobs.
        self._runs: dict[str, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = {pool: Places(count) for pool, count in policy.workers.items()}
        self._usage: defaultdict[str, Usage] = defaultdict(Usage)
        self._rests = Rests(self.wake)
        self._suspects = asyncio.Lock()
        self._woken = asyncio.Event()
        self._clock = asyncio.get_running_loop()
        #: Jobs whose lease is on its way, and the versions in which those of them are that have ended meanwhile.
        self._leasing: frozenset[str] = frozenset()
        self._gone: dict[str, int] = {}
        #: Jobs that may have been leased by a call that failed.
        self._strays: set[str] = set()
        self._due_known = False
        self._due: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._oldest_at: float | None = None
        self._closing = False
        self._main: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to work."""
        self._main = asyncio.create_task(self._work(), name="jobs")
        self.wake()

    def wake(self) -> None:
        """Something has changed: there may be something to begin."""
        self._woken.set()

    def reconfigure(self, policy: Policy) -> None:
        """`policy` holds from now on; what runs goes on."""
        self._policy = policy
        for pool in self._places.keys() | policy.workers.keys():
            places = self._places.setdefault(pool, Places(0))
            # Who waits for a pool that there is no more is let through, and hears that there is none.
            places.resize(policy.workers.get(pool, len(self._runs)))
        self.wake()

    def changed(self, job: Job) -> None:
        """The store tells of a job as it is now. A run that is not the job's any more ends, and its worker is free."""
        if job.state is JobState.RUNNING:
            return
        run = self._runs.get(job.id)
        if run is not None:
            run.stop()
        elif job.id in self._leasing and job.state.is_final:
            self._gone[job.id] = job.version
        if job.state is JobState.QUEUED:
            if job.not_before is not None:
                self._due_known = False
            self.wake()

    def live(self, job: Job) -> Job:
        """The job with the pages that are done of it."""
        run = self._runs.get(job.id)
        return job if run is None else run.live(job)

    def oldest_queued_s(self) -> float | None:
        """Seconds that the oldest one waits of those that are the next of their users."""
        return None if self._oldest_at is None else max(0.0, self._store.now() - self._oldest_at)

    def running(self) -> tuple[RunningJob, ...]:
        """The runs under way."""
        now = self._clock.time()
        return tuple(
            RunningJob(run.job.id, run.pool, None if run.begun_at is None else now - run.begun_at)
            for run in self._runs.values()
        )

    async def stop(self, grace_s: float) -> None:
        """Begins nothing more, waits for so many seconds for what runs, and puts the rest back in the queue."""
        self._closing = True
        # However this ends: who was asked to stop has not been ended by a document.
        self._store.under_way.stop()
        self.wake()
        if self._main is not None:
            # Not awaited itself: whoever cancels this shall not cancel that, which may have a lease under way.
            await asyncio.wait([self._main])
        for timer in (self._due, self._retry):
            if timer is not None:
                timer.cancel()
        self._rests.stop()
        self._put_back(lambda run: not run.had_worker)
        await self._settle(grace_s)
        self._put_back(lambda run: True)
        await self._settle(_WRITE_S)
        self.outcomes.give_up()
        await self._settle(_WRITE_S)

    def _put_back(self, which: Callable[[Run], bool]) -> None:
        for run in self._runs.values():
            if run.at_work and which(run):
                run.put_back = True
                run.stop()

    async def _settle(self, seconds: float) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    # What begins

    async def _work(self) -> None:
        back_off = BackOff()
        while not self._closing:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._fill()
                await self._set_timer()
                back_off.reset()
            except Exception as error:  # noqa: BLE001 - whatever it is, the jobs behind it must not wait for ever
                delay_s = back_off.next_s()
                _log.error(
                    "no job can be begun: it is tried again",
                    in_s=delay_s,
                    reason=str(error),
                    exc_info=None if isinstance(error, NdfdError) else error,
                )
                self._retry = self._clock.call_later(delay_s, self.wake)

    async def _fill(self) -> None:
        """Begins what there are places for, until there is no place or no job."""
        await self._fetch_strays()
        while free := self._free():
            ready = await self._store.ready(self._store.now(), sum(free.values()))
            chosen = self._choose(ready)
            if not chosen:
                return
            leased = await self._lease(chosen)
            for each in leased:
                self._begin(each)
            if not leased:
                # They have ended meanwhile, or could not be read. Of whatever comes next the store tells.
                return

    def _free(self) -> dict[str, int]:
        """How many jobs may be leased now, for each pool that takes any."""
        if self._closing or self.outcomes.blocked:
            return {}
        at_work = Counter(run.pool for run in self._runs.values() if run.at_work)
        free = {
            pool: workers * AHEAD - at_work[pool]
            for pool, workers in self._policy.workers.items()
            if pool not in self._rests
        }
        return {pool: count for pool, count in free.items() if count > 0}

    def _choose(self, ready: Sequence[Ready]) -> list[str]:
        now = self._clock.time()
        candidates = [Candidate(each.id, each.uid, each.rank, pool_name(each.pool)) for each in ready]
        running = Counter((run.pool, run.job.uid) for run in self._runs.values() if run.at_work)
        wanting: defaultdict[str, set[int]] = defaultdict(set)
        for pool, uid in {*running, *((each.pool, each.uid) for each in candidates)}:
            wanting[pool].add(uid)
        for pool in wanting.keys() | self._usage.keys():
            self._usage[pool].wanted_by(wanting.get(pool, set()), now)
        shares = {
            (pool, uid): Share(running[pool, uid], self._usage[pool].used_s(uid, now))
            for pool, uids in wanting.items()
            for uid in uids
        }
        chosen = plan(candidates, shares, self._free(), self._policy.running_per_user_max)
        begun = set(chosen)
        self._oldest_at = min((each.accepted_at for each in ready if each.id not in begun), default=None)
        return chosen

    async def _lease(self, chosen: list[str]) -> tuple[Leased, ...]:
        self._leasing = frozenset(chosen)
        try:
            leased = await self._store.lease(chosen)
            kept = []
            for each in leased:
                if self._gone.get(each.job.id, 0) > each.job.version:
                    os.close(each.document_fd)
                else:
                    kept.append(each)
            return tuple(kept)
        except Exception:
            self._strays.update(chosen)
            raise
        finally:
            self._leasing = frozenset()
            self._gone.clear()

    async def _fetch_strays(self) -> None:
        """Puts jobs back that are leased, and that nobody has."""
        while self._strays:
            job_id = min(self._strays)
            with contextlib.suppress(JobUnknown):
                job = await self._store.get(job_id, None)
                if job.state is JobState.RUNNING and job_id not in self._runs:
                    await self._store.end(job, _PUT_BACK)
            self._strays.discard(job_id)

    def _begin(self, leased: Leased) -> None:
        pool = pool_name(leased.job.pool)
        places = self._places.setdefault(pool, Places(1))
        alone = None if leased.job.interruptions < ALONE_AFTER else self._suspects
        run = Run(leased, places, self._policy.deadline_s(leased.convert.deadline_s), alone)
        self._runs[leased.job.id] = run
        # At once: from here on it can be stopped.
        conversion = run.convert(self._pools(), self._told)
        task = asyncio.create_task(self._see_through(run, conversion), name=f"run of job {leased.job.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _set_timer(self) -> None:
        """Wakes the loop when the next postponed job may run."""
        if self._due_known:
            return
        self._due_known = True
        if self._due is not None:
            self._due.cancel()
        due_at = await self._store.next_due()
        if due_at is not None:
            delay_s = max(0.0, due_at - self._store.now()) + _DUE_MARGIN_S
            self._due = self._clock.call_later(delay_s, self._fall_due)

    def _fall_due(self) -> None:
        self._due_known = False
        self.wake()

    # What ends

    async def _see_through(self, run: Run, conversion: asyncio.Task[Converted]) -> None:
        try:
            await asyncio.wait([conversion])
            self._leave_place(run)
            event = await self._write_down(run, conversion)
            if event is not None:
                self._on_end(run.job, event)
        except Exception as error:
            _log.error("a run of a job was given up", job=run.job.id, exc_info=error)
            raise
        finally:
            self._store.under_way.remove(run.job)
            run.end()
            if self._runs.get(run.job.id) is run:
                del self._runs[run.job.id]
            self.wake()

    def _got_place(self, run: Run) -> None:
        run.begun_at = self._clock.time()
        self._usage[run.pool].begun(run.job.uid, run.begun_at)

    def _leave_place(self, run: Run) -> None:
        os.close(run.document_fd)
        run.at_work = False
        if run.begun_at is not None:
            self._usage[run.pool].ended(run.job.uid, run.begun_at, self._clock.time())
        self.wake()

    async def _write_down(self, run: Run, conversion: asyncio.Task[Converted]) -> JobEvent | None:
        """What has become of the job; None when that was somebody else's doing."""
        job = run.job
        if conversion.cancelled():
            if run.put_back:
                await self.outcomes.ended(job, _PUT_BACK)
            return None
        error = conversion.exception()
        if error is None:
            self._rests.worked(run.pool)
            return JobEvent.SUCCEEDED if await self.outcomes.succeeded(job, conversion.result()) else None
        ours = _ours(error, job)
        if isinstance(ours, WorkerStartFailed):
            self._rests.failed(run.pool)
        policy = self._policy
        ending = verdict(
            ours,
            # What the daemon's end has interrupted has a limit of its own.
            job.attempts - job.interruptions,
            policy.max_attempts,
            policy.retry_delay_s,
            self._store.now(),
            random.random(),  # noqa: S311 - spreads, no secret
        )
        _log.info(
            "a run of a job failed", job=job.id, event_of_job=ending.event.value, code=ours.code, reason=str(ours)
        )
        return ending.event if await self.outcomes.ended(job, ending) else None


def _ours(error: BaseException, job: Job) -> NdfdError:
    """The error as it is kept with the job."""
    if isinstance(error, NdfdError):
        return error
    if isinstance(error, OSError):
        # Of the daemon, which has no descriptors or no memory left: another moment may be better.
        return WorkerError(f"the document could not be handed to a worker: {error.strerror or error}")
    _log.error("a run of a job failed for a fault of ndfd's own", job=job.id, exc_info=error)
    return NdfdError(f"a fault in ndfd itself: {type(error).__name__}")
