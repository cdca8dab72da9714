"""Changes of a job's state: each asks the one table, and the database whether the job still is what it was."""

from __future__ import annotations

from ndfd.errors import StoreError
from ndfd.model.conversion import ConversionReport
from ndfd.model.job_states import JobEvent, JobState, next_state
from ndfd.model.jobs import Job, JobFault
from ndfd.store.ids import new_id
from ndfd.store.rows import JobRow, encoded, shown
from ndfd.store.work import Work

#: Things that happened to a job that are kept, beside its beginning: cancelling and retrying costs its owner nothing.
HISTORY_MAX = 1000


def state_of(row: JobRow) -> JobState:
    """Of a row; one whose state cannot be read is quarantined."""
    try:
        return JobState(row.state)
    except ValueError:
        return JobState.QUARANTINED


def start(work: Work, row: JobRow) -> JobRow:
    """A run of it begins."""
    state = next_state(state_of(row), JobEvent.STARTED)
    changed = work.run("start", state, work.epoch, work.now, row.number, row.state, row.version)
    return _changed(work, row, changed, JobEvent.STARTED, None)


def finish(
    work: Work,
    row: JobRow,
    event: JobEvent,
    *,
    fault: JobFault | None = None,
    result: bytes | None = None,
    report: ConversionReport | None = None,
    result_bytes: int = 0,
    attempts: int | None = None,
) -> JobRow:
    """It has ended. Whoever wants to know is told from now on."""
    state = next_state(state_of(row), event)
    if row.password is not None:
        work.erased = True
    changed = work.run(
        "finish",
        state,
        row.attempts if attempts is None else attempts,
        work.now,
        row.answers and _answers(state, fault),
        result,
        result_bytes,
        encoded(report),
        encoded(fault),
        row.number,
        row.state,
        row.version,
    )
    _add_deliveries(work, row.number)
    return _changed(work, row, changed, event, fault)


def _answers(state: JobState, fault: JobFault | None) -> bool:
    """Whether the same work, sent again, is answered with this job: not where a new run may end otherwise."""
    if state is JobState.CANCELLED:
        return False
    return fault is None or not (fault.retryable or fault.code == "store-damaged")


def requeue(
    work: Work,
    row: JobRow,
    event: JobEvent,
    *,
    attempts: int,
    interruptions: int,
    fault: JobFault | None = None,
    not_before: float | None = None,
) -> JobRow:
    """It waits for a run again. What was still to be told of its last end is told no more."""
    state = next_state(state_of(row), event)
    if row.finished_at is not None:
        work.run("forget_deliveries", row.number)
        work.run("count_deliveries", row.number)
    other = work.one("other_answers", row.uid, row.fingerprint, row.number)
    changed = work.run(
        "requeue",
        state,
        attempts,
        interruptions,
        not_before,
        other is None,
        encoded(fault),
        row.number,
        row.state,
        row.version,
    )
    if row.result is not None:
        release(work, row.result)
    return _changed(work, row, changed, event, fault)


def refer(work: Work, digest: bytes, size: int) -> None:
    """One more job names this file."""
    row = work.one("refer", digest, size)
    work.referred = True
    if row is not None and row[0] == 1:
        work.tally.blob_bytes += size


def release(work: Work, digest: bytes) -> None:
    """One job fewer names this file."""
    row = work.one("unrefer", digest)
    if row is not None and row[0] > 0:
        work.shared.append(digest)
    elif row is not None:
        work.run("drop_blob", digest)
        work.tally.blob_bytes -= row[1]
        work.released.append(digest)


def tell(work: Work, row: JobRow) -> Job:
    """Whoever listens hears of the job as this row has it, once it is committed."""
    job = shown(row)
    work.changed.append(job)
    return job


def record(work: Work, row: JobRow, event: str, code: str | None) -> None:
    """Adds to the history of a job what made it what the row says."""
    work.run("insert_history", row.number, row.version, work.now, event, row.state, row.attempts, code)
    if row.version > HISTORY_MAX:
        work.run("shorten_history", row.number, row.version - HISTORY_MAX)


def _changed(work: Work, before: JobRow, changed: int, event: JobEvent, fault: JobFault | None) -> JobRow:
    after = work.job("job_by_number", before.number)
    if changed != 1 or after is None:
        raise StoreError(f"job {before.id} is not {before.state} any more: something else writes to the store")
    work.tally.count(state_of(before), before.uid, before.size_bytes, before.result_bytes, -1)
    work.tally.count(state_of(after), after.uid, after.size_bytes, after.result_bytes)
    record(work, after, event, None if fault is None else fault.code)
    tell(work, after)
    return after


def _add_deliveries(work: Work, number: int) -> None:
    hooks = work.all("hooks", number)
    for hook in hooks:
        work.run("insert_delivery", new_id(work.now), number, *hook, work.now)
    if hooks:
        work.run("count_deliveries", number)
