"""Lives of a whole daemon, one after the other, while users hand in works: daemon, zygote and workers are killed.

Each life ends at a durable step of the store's or at a random moment, also before the daemon is ready; on a disk that
loses power, by a cut. The users and their ledgers outlive them all.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil

from ndfd.client import Client
from ndfd.errors import NdfdError
from ndfd.model.job_states import FINAL, JobState
from ndfd.model.jobs import LIST_MAX, Job, JobQuery
from ndfd.store.steps import Step
from tests.crash.daemon import CrashDaemon, adopt_orphans, wait_for_strays
from tests.crash.disk import LosableDisk, cut
from tests.crash.inspection import database_faults, folder_files, spool_files
from tests.crash.judge import Kept, Rules, judge, judge_deliveries, judge_spool
from tests.crash.ledger import Ledger, read_journal
from tests.crash.points import STAYS_MS, Point, freeze
from tests.crash.store_lives import Say
from tests.crash.users import GONE, WITHOUT_POWER, Plan, UserProcess
from tests.crash.works import real_works

#: Told by what a life passes while users work: retention has a part of its own at the end.
STEPS = tuple(step for step in Step if step is not Step.EXPIRED)
#: Within which a life passes its point, and a daemon is ready.
_PATIENCE_S = 8.0
_START_S = 60.0
#: Between two things that one thread of a user's does, on average.
_PACE_S = 0.02
#: Within which everything is done once nobody is killed any more.
_DRAIN_S = 300.0
#: Passes of a step that happens seldom, and of one that each job passes.
_SELDOM = frozenset({Step.CANCELLED, Step.RETRIED, Step.FORGOTTEN, Step.UNLINKED})
#: Lives that end by retention, at most; a short run has fewer.
_EXPIRING_LIVES = 6

_CONFIG = """
[network]
socket_mode = "0666"
[swarm]
workers = 2
[logging]
format = "json"
level = "warning"
[jobs]
# What ends a worker here is no fault of any document's.
max_attempts = 100
retry_delay = "100ms"
[storage]
keep_free = "0B"
[hooks.witness]
folder = "{witness}"
events = ["succeeded"]
"""


@dataclass
class Found:
    """What a run has done and seen."""

    kills: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    jobs: int = 0
    acknowledged: int = 0
    forgotten: int = 0
    interrupted: int = 0
    expired: int = 0
    ready_s: list[float] = field(default_factory=list)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        ordered = sorted(self.ready_s)
        return {
            "kills": dict(self.kills) | {"all": self.kills.total()},
            "points": dict(sorted(self.points.items())),
            "jobs": self.jobs,
            "acknowledged": self.acknowledged,
            "forgotten": self.forgotten,
            "interruptions": self.interrupted,
            "expired": self.expired,
            "ready_median_s": ordered[len(ordered) // 2] if ordered else None,
            "ready_max_s": ordered[-1] if ordered else None,
            "seconds": self.seconds,
            "faults": self.faults,
        }


class DaemonLives:
    """Some lives of a daemon with its state in a folder."""

    def __init__(self, root: Path, state: Path, disk: LosableDisk | None, seed: int, first: int = 0) -> None:
        """On `disk` every life ends by a power cut, otherwise by a kill; the step at `first` comes first."""
        self._root = root
        self._disk = disk
        self._seed = seed
        self._steps = (*STEPS[first % len(STEPS) :], *STEPS[: first % len(STEPS)])
        self._random = Random(f"{seed}/daemon")
        self._works = real_works()
        #: Every result is delivered into it.
        self._witness = root / "results"
        self._witness.mkdir()
        config = _CONFIG.format(witness=self._witness)
        self._daemon = CrashDaemon(root, state, config, None if disk is None else disk.path)
        self._users: list[UserProcess] = []
        self._plans = self._plan()
        self.found = Found()

    def run(self, kills: int, say: Say) -> Found:
        """Kills so many processes, and compares then."""
        begun = time.monotonic()
        adopt_orphans()
        with contextlib.ExitStack() as stack:
            for plan in self._plans:
                self._users.append(stack.enter_context(UserProcess(plan, self._works)))
            while self.found.kills.total() < kills and not self.found.faults:
                self._live(kills - self.found.kills.total())
                if self.found.kills["daemon"] % 20 == 0:
                    say(f"{self.found.kills.total()} of {kills} kills, {self.found.points.total()} at points")
            self._end_in_order(say)
        self.found.seconds = time.monotonic() - begun
        return self.found

    def _plan(self) -> list[Plan]:
        # Only root may be somebody else.
        uids: Sequence[int] = (1001, 65534) if os.geteuid() == 0 else (os.geteuid(),)
        return [
            Plan(
                uid,
                index,
                len(uids),
                self._daemon.socket,
                self._root / f"journal-{uid}",
                f"{self._seed}/{uid}",
                _PACE_S,
                GONE if self._disk is None else WITHOUT_POWER,
            )
            for index, uid in enumerate(uids)
        ]

    def _live(self, left: int) -> None:
        """One life, with at most so many kills."""
        random = self._random
        # In turns, and those first that came too short.
        step = min(self._steps, key=lambda step: self.found.points[step])
        passes = random.randint(1, 2 if step in _SELDOM else 8)
        point = Point(step, passes, random.choice(STAYS_MS)) if random.random() < 0.5 else None
        started = time.monotonic()
        self._daemon.start(point)
        if point is None and random.random() < 0.2:
            time.sleep(random.random() * 0.8)
            self._end_now("daemon, starting")
            return
        if not self._daemon.is_ready_within(_START_S):
            self._ended_early(point)
            return
        self.found.ready_s.append(time.monotonic() - started)
        if point is not None:
            self._end_at(point)
            return
        for _ in range(min(left - 1, random.choice((0, 1, 2, 4, 6))) if self._disk is None else 0):
            time.sleep(random.random() * 0.15)
            self._kill_other()
        time.sleep(random.random() * 0.3)
        self._end_now("daemon")

    def _kill_other(self) -> None:
        kind, those = "worker", self._daemon.workers()
        if self._random.random() < 0.25 or not those:
            kind, those = "zygote", self._daemon.zygotes()
        if those:
            with contextlib.suppress(psutil.NoSuchProcess):
                self._random.choice(those).kill()
                self.found.kills[kind] += 1

    def _end_at(self, point: Point) -> None:
        if not self._daemon.ends_within(_PATIENCE_S):
            self._end_now("daemon")
            return
        self._passed(point)

    def _ended_early(self, point: Point | None) -> None:
        if not self._daemon.ends_within(1.0):
            self.found.faults.append(f"the daemon was not ready within {_START_S:g} s: {self._daemon.log_tail()}")
            self._end_now("daemon")
        elif point is not None and self._daemon.process.returncode == -signal.SIGKILL:
            self._passed(point)
        else:
            self.found.faults.append(
                f"the daemon ended with status {self._daemon.process.returncode}: {self._daemon.log_tail()}"
            )
            self._daemon.reap()

    def _passed(self, point: Point) -> None:
        if self._daemon.process.returncode != -signal.SIGKILL:
            self.found.faults.append(
                f"the daemon ended with status {self._daemon.process.returncode}: {self._daemon.log_tail()}"
            )
        self.found.kills["daemon"] += 1
        self.found.points[point.step.value] += 1
        family = wait_for_strays(self._own(), 0.0)
        self._daemon.reap()
        self._come_back(family)

    def _end_now(self, kind: str) -> None:
        family = self._daemon.family()
        if self._disk is not None:
            # Frozen, so that it acknowledges nothing that the disk has no power for any more.
            freeze(self._daemon.process.pid)
            cut(self._disk.path)
        self._daemon.kill()
        self.found.kills[kind] += 1
        self._come_back(family)

    def _come_back(self, family: list[psutil.Process]) -> None:
        """A power cut ends everybody; otherwise zygote and workers have to notice by themselves."""
        if self._disk is None:
            return
        for each in [*family, *wait_for_strays(self._own(), 0.0)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        wait_for_strays(self._own(), 10.0)
        self._disk.lose_power()

    def _own(self) -> set[int]:
        return {user.pid for user in self._users} | {self._daemon.process.pid}

    # The end

    def _end_in_order(self, say: Say) -> None:
        """Nobody is killed any more: everything is done, and compared."""
        self._daemon.start()
        if not self._daemon.is_ready_within(_START_S):
            self.found.faults.append(f"the daemon does not start at the end: {self._daemon.log_tail()}")
            self._daemon.kill()
            return
        for user in self._users:
            user.settle()
        until = time.monotonic() + _DRAIN_S
        for user in self._users:
            if not user.wait_settled(max(0.0, until - time.monotonic())):
                self.found.faults.append(f"not everything has ended within {_DRAIN_S:g} s: {self._daemon.log_tail()}")
        ledger = read_journal(plan.journal for plan in self._plans)
        with self._daemon.client() as client:
            # Of a delivery that was cut off, the next attempt is a matter of seconds.
            while any(job.deliveries_due for job in jobs_of(client)) and time.monotonic() < until:
                time.sleep(0.1)
            kept = everything(client)
        say(f"{len(kept)} jobs are compared with the ledger")
        self.found.jobs, self.found.acknowledged = len(kept), ledger.acknowledged
        self.found.forgotten = len(ledger.jobs) - len({each.job.id for each in kept} & ledger.jobs.keys())
        self.found.interrupted = sum(change.event == "interrupted" for each in kept for change in each.history)
        self.found.faults += judge(ledger, kept, self._works, Rules(drained=True))
        self._stop()
        self.found.faults += judge_spool(spool_files(self._daemon.state), kept, ledger, self._works)
        self.found.faults += judge_deliveries(folder_files(self._witness), kept, ledger, self._works)
        self.found.faults += database_faults(self._daemon.state)
        if not self.found.faults and self._disk is None:
            self._expire(kept, ledger, say)

    def _stop(self) -> None:
        status = self._daemon.stop()
        if status:
            self.found.faults.append(f"the daemon ended with status {status}: {self._daemon.log_tail()}")
        for stray in wait_for_strays(self._own(), 10.0):
            self.found.faults.append(f"process {stray.pid} outlives the daemon: {' '.join(stray.cmdline())}")
            stray.kill()

    def _expire(self, before: list[Kept], ledger: Ledger, say: Say) -> None:
        """Finished jobs are too many now: the oldest go, some at a time, and the daemon is killed while they do."""
        keep = len(before)
        setting = ""
        for _ in range(min(_EXPIRING_LIVES, 1 + self.found.kills.total() // 100)):
            # Some at each start, in one transaction.
            keep -= max(1, len(before) // 10)
            setting = f"storage.keep_count={keep}"
            self._daemon.start(Point(Step.EXPIRED, 1), setting)
            self._daemon.is_ready_within(_START_S)
            if not self._daemon.ends_within(_PATIENCE_S):
                self._daemon.kill()
                break
            self._daemon.reap()
            self.found.kills["daemon"] += 1
            self.found.points[Step.EXPIRED.value] += 1
        self._daemon.start(None, setting)
        if not self._daemon.is_ready_within(_START_S):
            self.found.faults.append(f"the daemon does not start to expire: {self._daemon.log_tail()}")
        with self._daemon.client() as client:
            until = time.monotonic() + _DRAIN_S
            while len(jobs_of(client)) > keep and time.monotonic() < until:
                time.sleep(0.1)
            after = everything(client)
        self._stop()
        self.found.expired = len(before) - len(after)
        say(f"{self.found.expired} jobs expired")
        self.found.faults += expiry_faults(before, after, keep)
        self.found.faults += judge_spool(spool_files(self._daemon.state), after, ledger, self._works)


def expiry_faults(before: Sequence[Kept], after: Sequence[Kept], keep: int) -> Iterator[str]:
    """Those that ended last are there as they were; the others are gone."""
    newest = sorted(before, key=lambda each: each.job.finished_at or 0.0)[-keep:] if keep else []
    left = {each.job.id: each for each in after}
    if len(after) != keep:
        yield f"{len(after)} jobs are left instead of {keep}"
    oldest_kept = min((each.job.finished_at or 0.0 for each in newest), default=0.0)
    for each in before:
        finished = each.job.finished_at or 0.0
        if each.job.id not in left:
            if finished > oldest_kept:
                yield f"LOST: job {each.job.id} expired, and older ones are kept"
        elif left[each.job.id] != each:
            yield f"job {each.job.id} has changed: {each} is now {left[each.job.id]}"
        elif finished < oldest_kept:
            yield f"job {each.job.id} is kept, and a later one expired"


def jobs_of(client: Client) -> list[Job]:
    """Every job that the daemon has."""
    jobs: list[Job] = []
    cursor = None
    while True:
        page = client.jobs(JobQuery(cursor=cursor, limit=LIST_MAX))
        jobs += page.jobs
        if (cursor := page.cursor) is None:
            return jobs


def everything(client: Client) -> list[Kept]:
    """Every job with its history and its result, as an administrator sees them."""
    kept = []
    for job in jobs_of(client):
        result = None
        if job.state is JobState.SUCCEEDED:
            try:
                with client.result(job.id) as conversion:
                    result = hashlib.sha256(conversion.content).hexdigest()
            except NdfdError as error:
                result = f"{error.code}: {error}"
        kept.append(Kept(client.job(job.id) if job.state in FINAL else job, client.job_history(job.id), result))
    return kept
