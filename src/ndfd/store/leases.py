"""Runs of jobs: leased to this life of the daemon, and ended by it. A run that is not its job's changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

from ndfd.errors import StoreDamaged
from ndfd.model.conversion import ConversionReport
from ndfd.model.job_states import JobEvent, JobState
from ndfd.model.jobs import Job, JobFault
from ndfd.store.rows import JobRow, decode
from ndfd.store.steps import Step
from ndfd.store.transitions import finish, refer, requeue, start, state_of
from ndfd.store.values import Ending
from ndfd.store.work import RESULT_STEPS, Operation, Put, Work


class Lease(Operation[tuple[JobRow, ...]]):
    """Begins a run of each of these that still waits for one."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = ids
        #: Runs that a transaction began of which the disk would not say whether it holds.
        self._begun: set[Run] = set()

    def apply(self, work: Work) -> tuple[JobRow, ...]:
        """The rows of those that are this life's now. A row that cannot be read is put aside."""
        leased = []
        for job_id in self._ids:
            row = work.job("job", job_id)
            if row is None:
                continue
            if Run.of(row) in self._begun and Run.of(row).row(work) is not None:
                # It held after all: the log had it when the database was opened anew.
                leased.append(row)
                continue
            if row.state != JobState.QUEUED or (row.not_before is not None and row.not_before > work.now):
                continue
            row = start(work, row)
            self._begun.add(Run.of(row))
            if (fault := _unfit(row)) is not None:
                finish(work, row, JobEvent.QUARANTINED, fault=fault)
                continue
            leased.append(row)
            work.steps.append(Step.LEASED)
        return tuple(leased)


def _unfit(row: JobRow) -> JobFault | None:
    try:
        decode(row)
    except StoreDamaged as error:
        return JobFault.of(error)
    if row.password_erased and row.password is None:
        lost = StoreDamaged(
            "the result was damaged on the disk, and the document's password is erased: it cannot be made anew",
            hint="submit the document again with its password",
        )
        return JobFault.of(lost)
    return None


class Run(NamedTuple):
    """One run of a job. Numbers of attempts come again, when one is taken back or the job begins anew; these do not."""

    id: str
    #: The job's, which its lease made, and which it keeps while it runs.
    version: int

    @classmethod
    def of(cls, job: JobRow | Job) -> Self:
        """That of a job as it was leased."""
        return cls(job.id, job.version)

    def row(self, work: Work) -> JobRow | None:
        """Its job, while the run is still this life's."""
        row = work.job("job", self.id)
        if row is None or row.state != JobState.RUNNING or row.epoch != work.epoch or row.version != self.version:
            return None
        return row


class Succeed(Operation[bool]):
    """A run has a result."""

    def __init__(self, run: Run, result_fd: int, report: ConversionReport) -> None:
        self._run = run
        self._report = report
        self.put: Put = Put(result_fd, RESULT_STEPS)

    def apply(self, work: Work) -> bool:
        """Whether the result is the job's now."""
        staged = self.put.staged
        assert staged is not None
        row = self._run.row(work)
        if row is None:
            return False
        refer(work, staged.hash, staged.size)
        finish(work, row, JobEvent.SUCCEEDED, result=staged.hash, result_bytes=staged.size, report=self._report)
        work.reached(Step.PUBLISH_WRITTEN)
        work.steps.append(Step.PUBLISHED)
        return True


class End(Operation[bool]):
    """A run has ended without a result."""

    def __init__(self, run: Run, ending: Ending) -> None:
        self._run = run
        self._ending = ending

    def apply(self, work: Work) -> bool:
        """Whether it was still the job's run."""
        row = self._run.row(work)
        if row is None:
            return False
        event, fault, not_before, counts = self._ending
        attempts = row.attempts if counts else row.attempts - 1
        if event is JobEvent.POSTPONED:
            requeue(
                work,
                row,
                event,
                attempts=attempts,
                interruptions=row.interruptions,
                fault=fault,
                not_before=not_before,
            )
        else:
            finish(work, row, event, fault=fault, attempts=attempts)
        work.reached(Step.PUBLISH_WRITTEN)
        work.steps.append(Step.PUBLISHED)
        return True


class LoseDocument(Operation[bool]):
    """The document of a job is not on the disk as it was written: its run has failed before it began."""

    def __init__(self, run: Run, document: bytes, error: StoreDamaged) -> None:
        self._run = run
        self._document = document
        self._error = error

    def apply(self, work: Work) -> bool:
        """Whether it was still the job's run."""
        row = self._run.row(work)
        if row is None:
            return False
        finish(work, row, JobEvent.FAILED, fault=JobFault.of(self._error))
        work.damaged.append(self._document)
        return True


class LoseResult(Operation[bool]):
    """The result of a job is not on the disk as it was written: the job runs again."""

    def __init__(self, job_id: str, result: bytes, error: StoreDamaged) -> None:
        self._id = job_id
        self._result = result
        self._error = error

    def apply(self, work: Work) -> bool:
        """Whether it was still the job's result."""
        row = work.job("job", self._id)
        if row is None or state_of(row) is not JobState.SUCCEEDED or row.result != self._result:
            return False
        requeue(
            work,
            row,
            JobEvent.RESULT_LOST,
            attempts=0,
            interruptions=0,
            fault=JobFault.of(self._error),
        )
        work.damaged.append(self._result)
        return True
