"""Holds what a store has against what its clients know: pure functions of values, each fault a line."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ndfd.errors import JobStateConflict
from ndfd.model.job_states import FINAL, JobEvent, JobState, next_state
from ndfd.model.jobs import Job, JobChange
from tests.crash.ledger import Fate, Known, Ledger, Seen, Work, same_end
from tests.crash.works import End, Works

#: Label of a job that names its work.
WORK_LABEL = "work"
#: What may become of a document that was being converted whenever a worker was killed, through no fault of its own.
KILLED = frozenset({"document-kills-workers"})
_EVENTS = frozenset(event.value for event in JobEvent)


@dataclass(frozen=True)
class Kept:
    """One job as the store has it."""

    job: Job
    history: tuple[JobChange, ...]
    #: SHA-256 of its result, for one that succeeded.
    result: str | None = None


@dataclass(frozen=True)
class Rules:
    """What may be."""

    #: Nothing waits or runs any more.
    drained: bool
    #: A document may have been blamed for kills of its worker or of the daemon, and not been tried again yet.
    blamed: bool = False


def work_of(job: Job) -> int:
    """The number of the work that it was made of; -1 for one that no client made."""
    return int(job.labels.get(WORK_LABEL, "-1"))


def judge(ledger: Ledger, kept: Sequence[Kept], works: Works, rules: Rules) -> list[str]:
    """Every fault; none when nothing is lost, nothing is there twice and nothing is there that nobody asked for."""
    faults = list(ledger.faults)
    by_id = {each.job.id: each for each in kept}
    if len(by_id) != len(kept):
        faults.append("two jobs have the same id")
    for job_id, known in ledger.jobs.items():
        if job_id not in by_id and Fate.FORGOTTEN not in known.fates:
            faults.append(f"LOST: job {job_id} of work {known.work} was acknowledged and is not there")
    of_work: Counter[int] = Counter()
    for each in kept:
        number = work_of(each.job)
        work = ledger.works.get(number)
        if work is None or not ledger.asked[number]:
            faults.append(f"job {each.job.id} is there and nobody asked for it: {dict(each.job.labels)}")
            continue
        of_work[number] += 1
        faults += (f"job {each.job.id} (work {number}): {fault}" for fault in _faults(work, each, ledger, works, rules))
    faults += (f"work {number} became {count} jobs" for number, count in of_work.items() if count > 1)
    return faults


def _faults(work: Work, kept: Kept, ledger: Ledger, works: Works, rules: Rules) -> Iterator[str]:
    job = kept.job
    known = ledger.jobs.get(job.id, Known(work.number))
    if (acknowledged := ledger.job_of.get(work.number, job.id)) != job.id:
        yield f"its work was acknowledged as job {acknowledged}"
    if (job.uid, job.key or None, job.format.value, job.size_bytes) != (
        work.uid,
        work.key,
        work.format,
        len(works.content(work)),
    ):
        yield f"it is not what was asked for: {job}"
    if known.fates == {Fate.FORGOTTEN}:
        yield "it was forgotten and is there"
    yield from _of_history(kept, known)
    if job.state not in FINAL:
        if rules.drained:
            yield f"it is still {job.state.value} at the end"
        if Fate.ENDED not in known.fates:
            yield f"it is {job.state.value} after {_named(known.fates)}"
        if known.seen is not None:
            yield f"it had ended as {known.seen}, and is {job.state.value} again"
        return
    # One that its client does not know of is nobody's to retry.
    yield from _of_end(kept, known, works.end(work), blamed=rules.blamed or job.id not in ledger.jobs)
    if known.seen is not None and not same_end(known.seen, seen_of(kept)):
        yield f"it had ended as {known.seen}, and is now {seen_of(kept)}"


def _of_end(kept: Kept, known: Known, due: End, *, blamed: bool) -> Iterator[str]:
    job = kept.job
    if job.state is JobState.CANCELLED:
        if Fate.CANCELLED not in known.fates:
            yield "it is cancelled, and nobody asked for that"
        return
    if Fate.ENDED not in known.fates:
        yield f"it {job.state.value} after {_named(known.fates)}"
    if job.state is JobState.SUCCEEDED:
        told = kept.result or "no result"
    else:
        told = "no error" if job.fault is None else job.fault.code
        if blamed and told in KILLED:
            return
    if (job.state, told) != (due.state, due.told):
        yield f"it {job.state.value} with {told} instead of {due.state.value} with {due.told}"


def _of_history(kept: Kept, known: Known) -> Iterator[str]:
    """The history tells every change, each of which could happen, and one end for each time that it was to run."""
    state, changes, events = JobState.RECEIVED, kept.history, Counter[str]()
    for change in changes:
        events[change.event] += 1
        try:
            # What is no event of the table (a delivery) leaves the job as it is.
            state = next_state(state, JobEvent(change.event)) if change.event in _EVENTS else state
        except JobStateConflict as error:
            yield f"its history cannot have been: {error}: {_told(changes)}"
            return
        if state is not change.state:
            yield f"its history says {change.state.value} after {change.event}: {_told(changes)}"
            return
    if state is not kept.job.state:
        yield f"it is {kept.job.state.value}, and its history ends {state.value}: {_told(changes)}"
    ends = sum(change.state in FINAL for change in changes if change.event in _EVENTS)
    again = events[JobEvent.RETRIED] + events[JobEvent.RESULT_LOST]
    if ends != again + (kept.job.state in FINAL):
        yield f"it ended {ends} times, and was to run again {again} times: {_told(changes)}"
    if events[JobEvent.RESULT_LOST]:
        yield f"its result was lost: {_told(changes)}"
    if not known.retries_done <= events[JobEvent.RETRIED] <= known.retries_asked:
        yield f"it was retried {events[JobEvent.RETRIED]} times, {known.retries_done} of them acknowledged"
    if events[JobEvent.CANCELLED] > known.cancels_asked:
        yield f"it was cancelled {events[JobEvent.CANCELLED]} times, asked for {known.cancels_asked} times"
    if any(later.at < earlier.at for earlier, later in itertools.pairwise(changes)):
        yield f"its history goes back in time: {_told(changes)}"


def seen_of(kept: Kept) -> Seen:
    """The end of a job as a client would see it."""
    job = kept.job
    return Seen(job.state.value, job.version, job.attempts, job.finished_at, kept.result)


def judge_spool(files: Mapping[str, str], kept: Sequence[Kept], ledger: Ledger, works: Works) -> list[str]:
    """Files of the spool by name, with the SHA-256 of what is in them: each whole, all there, and none too many."""
    faults = [f"TORN: the file {name} has other bytes: {found}" for name, found in files.items() if found != name]
    wanted: dict[str, str] = {}
    for each in kept:
        work = ledger.works.get(work_of(each.job))
        if work is None:
            continue
        wanted[works.document_hash(work)] = f"the document of job {each.job.id}"
        if each.job.state is JobState.SUCCEEDED:
            wanted[works.end(work).told] = f"the result of job {each.job.id}"
    faults += [f"LOST: {what} is not in the spool ({name})" for name, what in wanted.items() if name not in files]
    faults += [f"ORPHAN: the file {name} belongs to no job" for name in files if name not in wanted]
    return faults


def judge_deliveries(files: Mapping[str, str], kept: Sequence[Kept], ledger: Ledger, works: Works) -> list[str]:
    """Files of a folder into which every result is delivered, by name, with their hashes: one for each, and no more."""
    succeeded = {ledger.works[work_of(each.job)]: each for each in kept if each.job.state is JobState.SUCCEEDED}
    faults = [
        f"job {each.job.id}, which succeeded, has {each.job.deliveries_due} deliveries due"
        for each in succeeded.values()
        if each.job.deliveries_due
    ]
    of_work: Counter[int] = Counter()
    for name, found in files.items():
        # "work-7.md"; one that was delivered twice would have its job's number in the name as well.
        number = int(name.removeprefix("work-").partition(".")[0].partition("-")[0]) if name[:5] == "work-" else -1
        work = ledger.works.get(number)
        if work is None:
            faults.append(f"{name} was delivered, and belongs to no work")
        elif found != works.end(work).told:
            faults.append(f"{name} was delivered with other bytes")
        of_work[number] += 1
    faults += [
        f"the result of work {number} was delivered {count} times" for number, count in of_work.items() if count > 1
    ]
    faults += [
        f"job {each.job.id} succeeded, and its result was not delivered"
        for work, each in succeeded.items()
        if not of_work[work.number]
    ]
    return faults


def _named(fates: Iterable[Fate]) -> str:
    return " or ".join(sorted(fates))


def _told(changes: Sequence[JobChange]) -> str:
    return " ".join(f"{change.event}/{change.attempt}" for change in changes)
