"""How fast jobs get done, as of late."""

from __future__ import annotations

from collections import Counter, deque

from ndfd.admission import JobPace

#: What is older does not count. Long enough that a few jobs a minute still are a pace.
_WITHIN_S = 120.0
#: Ends are counted together for so long: what is kept does not grow with their number.
_STEP_S = 10.0


class Pace:
    """Counts the ends of jobs."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, Counter[int], Counter[int]]] = deque()

    def ended(self, uid: int, size_bytes: int, now: float) -> None:
        """A job of this user, with a document of this size, has ended."""
        if not self._steps or self._steps[-1][0] <= now - _STEP_S:
            self._steps.append((now, Counter(), Counter()))
        _, jobs, sizes = self._steps[-1]
        jobs[uid] += 1
        sizes[uid] += size_bytes

    def of(self, uid: int, now: float) -> JobPace:
        """For whoever is told when to come back."""
        while self._steps and self._steps[0][0] <= now - _WITHIN_S:
            self._steps.popleft()
        if not self._steps:
            return JobPace()
        # The first step's own length at least: the first end of all is no pace of one in no time.
        within_s = max(now - self._steps[0][0], _STEP_S)
        return JobPace(
            jobs=sum(jobs.total() for _, jobs, _ in self._steps) / within_s,
            jobs_of_user=sum(jobs[uid] for _, jobs, _ in self._steps) / within_s,
            bytes=sum(sizes.total() for _, _, sizes in self._steps) / within_s,
            bytes_of_user=sum(sizes[uid] for _, _, sizes in self._steps) / within_s,
        )
