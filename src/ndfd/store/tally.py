"""Counts of what the store holds, kept beside the database so that nobody asks it: one entry a user, none a job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ndfd.model.job_states import JobState
from ndfd.store.values import Load

_LIVE = frozenset({JobState.QUEUED, JobState.RUNNING})


class Tally:
    """Sums; or, of one operation, what it adds to them."""

    def __init__(self) -> None:
        self.states: Counter[JobState] = Counter()
        #: Of live jobs, by user.
        self._jobs: Counter[int] = Counter()
        self._bytes: Counter[int] = Counter()
        self.blob_bytes = 0
        self.finished_bytes = 0

    def count(self, state: JobState, uid: int, size_bytes: int, result_bytes: int, jobs: int = 1) -> None:
        """Adds so many jobs of this state that have these bytes in all; takes away when `jobs` is negative."""
        sign = 1 if jobs > 0 else -1
        self.states[state] += jobs
        if state in _LIVE:
            self._jobs[uid] += jobs
            self._bytes[uid] += sign * size_bytes
        else:
            self.finished_bytes += sign * (size_bytes + result_bytes)

    def add(self, other: Tally) -> None:
        """Takes another one's sums in."""
        self.states.update(other.states)
        self._jobs.update(other._jobs)
        self._bytes.update(other._bytes)
        for uid in other._jobs:
            if not self._jobs[uid]:
                del self._jobs[uid], self._bytes[uid]
        self.blob_bytes += other.blob_bytes
        self.finished_bytes += other.finished_bytes

    @property
    def finished(self) -> int:
        """Jobs that have ended."""
        return sum(count for state, count in self.states.items() if state not in _LIVE)

    def load(self, uid: int) -> Load:
        """Of everybody and of one user."""
        return Load(
            jobs=sum(self.states[state] for state in _LIVE),
            jobs_of_user=self._jobs[uid],
            bytes=sum(self._bytes.values()),
            bytes_of_user=self._bytes[uid],
        )

    def jobs(self) -> Mapping[JobState, int]:
        """How many of each state."""
        return {state: self.states[state] for state in JobState if state is not JobState.RECEIVED}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and self._sums() == other._sums()

    __hash__ = None  # type: ignore[assignment]  # It changes.

    def _sums(self) -> tuple[object, ...]:
        # A counter leaves zeros out when it is compared.
        return self.states, self._jobs, self._bytes, self.blob_bytes, self.finished_bytes
