"""Workers, users and their jobs without a clock: what `ndfd.scheduler` makes of them, moment by moment."""

from __future__ import annotations

import bisect
import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from ndfd.scheduler import Candidate, Share, Usage, plan, rank

POOL = "default"


class Asked(NamedTuple):
    """A job of the simulation."""

    at: float
    uid: int
    seconds: float
    priority: int = 0


class Begun(NamedTuple):
    """What became of it."""

    number: int
    job: Asked
    at: float
    #: How many of its user's were running already.
    beside: int


class Simulation:
    """One pool of `slots` workers. Jobs are given in any order; `run` goes on to the end of the last, or to `until`."""

    def __init__(self, jobs: Iterable[Asked], slots: int, per_user_max: int | None = None) -> None:
        self.jobs = list(jobs)
        self.begun: list[Begun] = []
        #: Seconds of workers by user, counted up to the end of the simulation.
        self.had: Counter[int] = Counter()
        self._slots = slots
        self._per_user_max = per_user_max
        self._usage = Usage()

    def run(self, until: float = float("inf")) -> Simulation:
        arrivals = sorted((job.at, number) for number, job in enumerate(self.jobs))
        #: Of each user, the first by rank at the end.
        waiting: defaultdict[int, list[Candidate]] = defaultdict(list)
        ends: list[tuple[float, int, float, int]] = []
        order = itertools.count()
        running: Counter[int] = Counter()
        coming = 0
        while True:
            now = min(arrivals[coming][0] if coming < len(arrivals) else until, ends[0][0] if ends else until, until)
            while ends and ends[0][0] <= now:
                _, _, begun_at, uid = heapq.heappop(ends)
                running[uid] -= 1
                self.had[uid] += now - begun_at
                self._usage.ended(uid, begun_at, now)
            while coming < len(arrivals) and arrivals[coming][0] <= now:
                number = arrivals[coming][1]
                job = self.jobs[number]
                candidate = Candidate(str(number), job.uid, rank(job.at, job.priority), POOL)
                bisect.insort(waiting[job.uid], candidate, key=lambda each: -each.rank)
                coming += 1
            if now >= until:
                break
            self._usage.wanted_by({uid for uid in waiting if waiting[uid] or running[uid]}, now)
            shares = {(POOL, uid): Share(running[uid], self._usage.used_s(uid, now)) for uid in waiting}
            free = self._slots - running.total()
            # As the store gives them: no more of each user than could be begun, the first by rank.
            ready = [each for line in waiting.values() for each in line[-free:]] if free else []
            for chosen in plan(ready, shares, {POOL: free}, self._per_user_max):
                job = self.jobs[int(chosen)]
                line = waiting[job.uid]
                # Not always the very last: some may have the same rank.
                del line[next(place for place in reversed(range(len(line))) if line[place].id == chosen)]
                self.begun.append(Begun(int(chosen), job, now, running[job.uid]))
                running[job.uid] += 1
                self._usage.begun(job.uid, now)
                heapq.heappush(ends, (now + job.seconds, next(order), now, job.uid))
            if coming == len(arrivals) and not ends and not any(waiting.values()):
                break
        for _, _, begun_at, uid in ends:
            self.had[uid] += now - begun_at
        return self


def always(uid: int, seconds: float, until: float, slots: int) -> list[Asked]:
    """As many jobs of this length as the user needs to have one waiting all the time."""
    return [Asked(0.0, uid, seconds)] * (int(until / seconds + 2) * slots)
