"""Lives of a process that works with a store, one after the other, each ended by a kill or by a power cut.

After most of them the store is opened and held against the ledger, the spool byte by byte; after the others the next
life is the first to open it, and may be ended while it does.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from ndfd.platform import storage
from ndfd.store import Store
from ndfd.store.steps import Step
from tests.crash.disk import LosableDisk, cut
from tests.crash.inspection import account_faults, database_faults, everything, spool_files
from tests.crash.judge import Rules, judge, judge_spool
from tests.crash.ledger import Journal, Ledger
from tests.crash.points import STAYS_MS, Point, ending_at, power_off
from tests.crash.store_life import StoreLife
from tests.crash.works import MadeWorks

Say = Callable[[str], None]

#: Within which a life passes its point; one that has not is ended all the same, and not counted as that point's.
_PATIENCE_S = 5.0
#: Passes within a life's reach: the larger, the more has gone on before.
_PASSES = {Step.EXPIRED: 2, Step.RETRIED: 2, Step.FORGOTTEN: 3, Step.UNLINKED: 3, Step.CANCELLED: 3}
_PASSES_OTHERWISE = 12
#: A size that no journal has.
NEVER = 1 << 62


@dataclass
class Found:
    """What a run has done and seen."""

    ends: int = 0
    #: By step, how often a life ended there.
    points: Counter[str] = field(default_factory=Counter)
    #: Lives that ended at a random moment, and before they had the store open.
    random: int = 0
    during_open: int = 0
    acknowledged: int = 0
    #: Jobs put back into the queue, at most at once.
    recovered: int = 0
    open_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, other: Found) -> None:
        """Takes up another run's."""
        self.ends += other.ends
        self.points += other.points
        self.random += other.random
        self.during_open += other.during_open
        self.acknowledged += other.acknowledged
        self.recovered += other.recovered
        self.open_s += other.open_s
        self.faults += other.faults

    def as_json(self) -> dict[str, Any]:
        return {
            "ends": self.ends,
            "acknowledged": self.acknowledged,
            "points": dict(sorted(self.points.items())),
            "random": self.random,
            "while_opening": self.during_open,
            "interrupted_jobs": self.recovered,
            "open_max_s": max(self.open_s, default=0.0),
            "faults": self.faults,
        }


class StoreLives:
    """Some lives on one store."""

    def __init__(self, folder: Path, disk: LosableDisk | None, journal: Path, seed: str, points: list[Step]) -> None:
        """On `disk` every life ends by a power cut, otherwise by a kill. `points` are taken in turns."""
        self._folder = folder
        self._disk = disk
        self._journal = journal
        journal.touch()
        self._random = Random(seed)
        self._points = points
        self._works = MadeWorks()
        self._ledger = Ledger()
        self._read_to = 0
        #: Up to where the journal was written for sure before the power was cut, and up to where perhaps.
        self._certain_to = self._powered_to = NEVER
        self.found = Found()

    def run(self, lives: int, say: Say) -> Found:
        """The findings; stops at the first life after which something is wrong."""
        for number in range(lives):
            self._one(number)
            if self._random.random() < 0.75 or number == lives - 1:
                self._check(f"after life {number}", drained=False)
            if self.found.faults:
                self.found.faults += self._ledger.faults
                return self.found
            if number % 20 == 19:
                say(f"  {number + 1} of {lives} lives, {self._ledger.acknowledged} acknowledged")
        asyncio.run(StoreLife(self._folder, self._open_journal(), self._works, self._random).drain())
        self._check("at the end", drained=True)
        return self.found

    def _one(self, number: int) -> None:
        point = None
        if self._points and self._random.random() < 0.6:
            step = self._points[self.found.points.total() % len(self._points)]
            passes = self._random.randint(1, _PASSES.get(step, _PASSES_OTHERWISE))
            point = Point(step, passes, self._random.choice(STAYS_MS))
        seed = self._random.random()
        opened, to_close = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(opened)
            self._live(point, seed, to_close)
        os.close(to_close)
        try:
            self._end(child, point)
            self.found.during_open += os.read(opened, 1) == b""
        finally:
            os.close(opened)
        self.found.ends += 1
        self._read_journal()
        self.found.acknowledged = self._ledger.acknowledged

    def _end(self, child: int, point: Point | None) -> None:
        """Returns when the process is no more, and the disk is back."""
        if point is None or not _ends_within(child, _PATIENCE_S):
            # Most lives do something; some are ended while they open the store.
            point, seconds = None, self._random.choice((0.02, 0.15, 0.3, 0.5)) * self._random.random()
            if not _ends_within(child, seconds):
                self._end_now(child)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) and (self._disk is None or os.WEXITSTATUS(status)):
            last = self._journal.read_bytes().splitlines()[-1:]
            self.found.faults.append(f"a life ended by itself, with status {os.WEXITSTATUS(status)}: {last}")
        if self._disk is not None:
            self._disk.lose_power()
        if point is None:
            self.found.random += 1
        else:
            self.found.points[point.step.value] += 1

    def _end_now(self, child: int) -> None:
        """After a cut the process lives on for a moment, in which it must not acknowledge what it is asked for then."""
        if self._disk is not None:
            self._certain_to = self._journal_size()
            cut(self._disk.path)
            self._powered_to = self._journal_size()
            time.sleep(self._random.choice((0.0, 0.005, 0.02)))
        os.kill(child, signal.SIGKILL)

    def _live(self, point: Point | None, seed: float, opened: int) -> None:
        """In the child; never returns."""
        status = 1
        try:
            if self._disk is not None:
                # The store's threads say what a dead disk does to them.
                threading.excepthook = lambda told: None
                if seed < 0.5:
                    # A hint to the kernel, which promises nothing: what relies on it is found in these lives.
                    storage.start_writeback = lambda fd: None  # type: ignore[method-assign]
            first = (lambda: None) if self._disk is None else power_off(self._disk.path)
            reached: Callable[[Step], None] = (lambda step: None) if point is None else ending_at(point, first)
            journal = self._open_journal()
            try:
                life = StoreLife(self._folder, journal, self._works, Random(seed))
                asyncio.run(life.live(reached, lambda: os.write(opened, b".")))
                status = 0
            except BaseException:  # noqa: BLE001 - it is told, whatever it is
                journal.write("fault", traceback.format_exc())
        finally:
            os._exit(status)

    def _check(self, when: str, *, drained: bool) -> None:
        begun = time.perf_counter()
        store = Store.open(self._folder, keep_free_bytes=0)
        self.found.open_s.append(time.perf_counter() - begun)
        self.found.recovered += store.recovered

        async def look() -> list[str]:
            await store.start()
            try:
                kept = await everything(store)
                faults = judge(self._ledger, kept, self._works, Rules(drained=drained, blamed=not drained))
                faults += account_faults(store, [each.job for each in kept])
            finally:
                await store.close()
            return faults + judge_spool(spool_files(self._folder), kept, self._ledger, self._works)

        faults = asyncio.run(look()) + database_faults(self._folder)
        self.found.faults += (f"{when}: {fault}" for fault in faults)

    def _open_journal(self) -> Journal:
        return Journal(self._journal, self._ledger)

    def _journal_size(self) -> int:
        return self._journal.stat().st_size

    def _read_journal(self) -> None:
        """What was written while the power was cut counts as asked, and what was answered then as answered by nobody.

        A sync that is under way in that moment may say that it succeeded, whatever has become of it (seen on ext4):
        when a machine loses its power there is nobody left to whom it could.
        """
        written = self._journal.read_bytes()
        self._ledger.apply_lines(written[self._read_to : self._certain_to])
        self._ledger.apply_asked(written[self._certain_to : self._powered_to])
        before = written[self._read_to : self._powered_to]
        self._ledger.apply_without_power(written[self._powered_to :], before)
        self._read_to = len(written)
        self._certain_to = self._powered_to = NEVER


def _ends_within(child: int, seconds: float) -> bool:
    """Whether the process ends within so many seconds; it has still to be waited for."""
    fd = os.pidfd_open(child)
    try:
        ready, _, _ = select.select([fd], [], [], seconds)
    finally:
        os.close(fd)
    return bool(ready)
