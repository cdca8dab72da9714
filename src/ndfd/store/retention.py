"""Finished jobs are kept so long and so many; beyond that the oldest are forgotten, some at a time."""

from __future__ import annotations

from ndfd.store.owners import erase
from ndfd.store.rows import JobRow
from ndfd.store.steps import Step
from ndfd.store.tally import Tally
from ndfd.store.values import Keep
from ndfd.store.work import Operation, Work

#: Of one transaction: other work waits no longer than this takes, some 20 ms.
AT_ONCE = 200


class Expire(Operation[int]):
    """Forgets finished jobs beyond a bound, oldest first, at most `AT_ONCE`.

    One whose end somebody has still to be told of stays until that is done or given up.
    """

    def __init__(self, keep: Keep, totals: Tally) -> None:
        """`totals` is what the store holds before this operation's batch."""
        self._keep = keep
        self._totals = totals

    def apply(self, work: Work) -> int:
        """How many were forgotten."""
        keep = self._keep
        count, size = self._totals.finished, self._totals.finished_bytes
        forgotten = 0
        for row in map(JobRow._make, work.all("oldest_finished", AT_ONCE)):
            too_old = keep.age_s is not None and work.now - (row.finished_at or 0) > keep.age_s
            too_many = keep.count is not None and count > keep.count
            too_large = keep.bytes is not None and size > keep.bytes
            if not (too_old or too_many or too_large):
                break
            erase(work, row)
            count -= 1
            size -= row.size_bytes + row.result_bytes
            forgotten += 1
        if forgotten:
            work.steps.append(Step.EXPIRED)
        return forgotten
