"""The outbox: what became of telling somebody of a job's end, and the files that watch folders have given."""

from __future__ import annotations

from collections.abc import Sequence

from ndfd.store.transitions import record, tell
from ndfd.store.work import Operation, Work


class Delivered(Operation[None]):
    """Somebody was told."""

    def __init__(self, delivery_id: str) -> None:
        self._id = delivery_id

    def apply(self, work: Work) -> None:
        """One that is not there any more, because its job was forgotten or runs again, is let be."""
        row = work.one("delivery", self._id)
        if row is not None:
            work.run("delivered", self._id)
            _recount(work, row[0], "delivered")


class DeliveryFailed(Operation[None]):
    """Somebody could not be told."""

    def __init__(self, delivery_id: str, fault: str, next_at: float | None) -> None:
        """`next_at` is the moment of the next attempt, in the store's time; None gives it up."""
        self._id = delivery_id
        self._fault = fault
        self._next_at = next_at

    def apply(self, work: Work) -> None:
        """One that is not there any more is let be."""
        row = work.one("delivery", self._id)
        if row is None:
            return
        work.run("delivery_failed", self._next_at, self._fault, self._id)
        if self._next_at is None:
            _recount(work, row[0], "delivery_given_up")


class DropTaken(Operation[None]):
    """Files of a watch folder that are not there any more."""

    def __init__(self, watch: str, paths: Sequence[str]) -> None:
        self._watch = watch
        self._paths = tuple(paths)

    def apply(self, work: Work) -> None:
        """Forgets that they were taken."""
        for path in self._paths:
            work.run("drop_taken", self._watch, path)


def _recount(work: Work, number: int, event: str) -> None:
    work.run("count_deliveries", number)
    work.run("touch", number)
    job = work.job("job_by_number", number)
    if job is not None:
        record(work, job, event, None)
        tell(work, job)
