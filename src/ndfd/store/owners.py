"""What a job's owner may do with it: cancel it, have it run anew, have it forgotten."""

from __future__ import annotations

from ndfd.errors import JobStateConflict
from ndfd.model.job_states import JobEvent, JobState
from ndfd.model.jobs import Job, JobFault
from ndfd.store.rows import JobRow, decode, shown, visible
from ndfd.store.steps import Step
from ndfd.store.transitions import finish, release, requeue, state_of
from ndfd.store.work import Operation, Work


class _OfOwner:
    def __init__(self, job_id: str, viewer_uid: int | None) -> None:
        self._id = job_id
        self._viewer_uid = viewer_uid

    def _row(self, work: Work) -> JobRow:
        return visible(work.job("job", self._id), self._id, self._viewer_uid)


class Cancel(_OfOwner, Operation[Job]):
    """Ends a job that has not ended."""

    def apply(self, work: Work) -> Job:
        """`JobStateConflict` when it has ended in another way; cancelling twice is cancelling once."""
        row = self._row(work)
        if state_of(row) is not JobState.CANCELLED:
            row = finish(work, row, JobEvent.CANCELLED)
            work.steps.append(Step.CANCELLED)
        return shown(row)


class Retry(_OfOwner, Operation[Job]):
    """Has a job run anew."""

    def apply(self, work: Work) -> Job:
        """`JobStateConflict` when it is not one that can."""
        row = self._row(work)
        fault: JobFault | None = None
        if state_of(row).is_final:
            fault = decode(row).fault
        if row.password_erased and state_of(row) is not JobState.SUCCEEDED:
            raise JobStateConflict(
                f"job {row.id} cannot run again: its document's password was erased when it ended",
                hint="submit the document again with its password",
            )
        row = requeue(work, row, JobEvent.RETRIED, attempts=0, interruptions=0, fault=fault)
        work.steps.append(Step.RETRIED)
        return shown(row)


class Forget(_OfOwner, Operation[None]):
    """Erases a job: rows, document, result."""

    def apply(self, work: Work) -> None:
        """`JobStateConflict` while it may still run."""
        row = self._row(work)
        if not state_of(row).is_final:
            raise JobStateConflict(
                f"job {row.id} is {row.state}: only a finished one can be forgotten",
                hint=f"cancel it first with `ndfd jobs cancel {row.id}`",
            )
        erase(work, row)
        work.steps.append(Step.FORGOTTEN)


def erase(work: Work, row: JobRow) -> None:
    """Takes a finished job out of every table."""
    if work.run("forget_job", row.number, row.state) != 1:
        raise JobStateConflict(f"job {row.id} is not {row.state} any more")
    for table in ("forget_history", "forget_labels", "forget_keys", "forget_hooks", "forget_deliveries"):
        work.run(table, row.number)
    release(work, row.document)
    if row.result is not None:
        release(work, row.result)
    work.tally.count(state_of(row), row.uid, row.size_bytes, row.result_bytes, -1)
    work.forgotten.append(row.id)
    work.erased = True
