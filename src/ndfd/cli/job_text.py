"""Jobs in words: what the commands about jobs print of one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from ndfd.cli.endings import one_line
from ndfd.cli.status import duration
from ndfd.config.quantities import format_duration
from ndfd.errors import JobCancelled, NdfdError
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobChange
from ndfd.model.printable import printable

#: Bad pages that are named one by one.
_PAGES_NAMED = 20


def moment(at: float) -> str:
    """A moment, in seconds since 1970, in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def age(at: float, now: float) -> str:
    """How long ago a moment is. A clock that was set back makes none older than it is."""
    return duration(max(now - at, 0.0))


def name_of(job: Job) -> str:
    """The document's name, or what stands for it."""
    return printable(job.name) if job.name else "(no name)"


def pages(job: Job) -> str:
    """Pages done of a run that is going on, or all those of the result."""
    if job.report is not None:
        return str(job.report.pages)
    if job.state is JobState.RUNNING and job.pages_done is not None:
        return f"{job.pages_done}/{job.pages}" if job.pages is not None else str(job.pages_done)
    return ""


def remark(job: Job, now: float) -> str:
    """What else there is to say of it in a few words."""
    if job.state is JobState.QUEUED and job.not_before is not None and job.not_before > now:
        why = f", {job.fault.code}" if job.fault is not None else ""
        return f"again in {duration(job.not_before - now)}{why}"
    if job.fault is not None and job.state is not JobState.SUCCEEDED:
        return job.fault.code
    if job.report is not None and (bad := job.report.pages_partial + job.report.pages_failed):
        return f"{bad} page{'' if bad == 1 else 's'} not whole"
    return ""


class Row(NamedTuple):
    """A job as a line of a table."""

    id: str
    state: str
    age: str
    pages: str
    runs: str
    user: str
    name: str
    remark: str


HEADINGS = Row("id", "state", "age", "pages", "runs", "user", "name", "")


def row(job: Job, now: float) -> Row:
    """The job's line."""
    return Row(
        job.id,
        job.state.value,
        age(job.accepted_at, now),
        pages(job),
        str(job.attempts) if job.attempts else "",
        _user(job),
        name_of(job),
        remark(job, now),
    )


def plain_row(line: Row, with_user: bool) -> str:
    """The line for a pipe; columns are as wide as they ever are, so that lines can be printed as they come."""
    user = f"{line.user:<8}  " if with_user else ""
    remark = f"  ({line.remark})" if line.remark else ""
    fixed = f"{line.id:<26}  {line.state:<11}  {line.age:>6}  {line.pages:>9}  {line.runs:>4}"
    return f"{fixed}  {user}{line.name}{remark}"


def failure(job: Job) -> NdfdError | None:
    """Why a job that is over has no result; None for one that has, and for one that is not over."""
    if not job.state.is_final or job.state is JobState.SUCCEEDED:
        return None
    if job.state is JobState.CANCELLED or job.fault is None:
        return JobCancelled(f"the job is {job.state.value}", hint=f"run it after all: ndfd jobs retry {job.id}")
    return job.fault.error()


def facts(job: Job, now: float) -> Iterator[tuple[str, str]]:
    """Label and text of each line about a job."""
    yield "job", job.id
    yield "state", _state(job, now)
    yield "document", f"{name_of(job)}, {job.size_bytes} bytes, to {job.format.value}"
    yield "accepted", f"{moment(job.accepted_at)}, {age(job.accepted_at, now)} ago"
    if job.attempts or job.interruptions:
        yield "runs", _runs(job, now)
    if job.finished_at is not None:
        yield "ended", f"{moment(job.finished_at)}, {age(job.finished_at, now)} ago"
    yield from _options(job)
    yield from _result(job)
    yield from _fault(job)
    if job.deliveries_due or job.deliveries_failed:
        yield "deliveries", f"{job.deliveries_due} to be made, {job.deliveries_failed} given up"


def history_line(change: JobChange) -> str:
    """One thing that happened."""
    code = f"  {printable(change.code)}" if change.code else ""
    attempt = f"run {change.attempt}" if change.attempt else ""
    return f"{moment(change.at)}  {printable(change.event):<11}  {change.state.value:<11}  {attempt:<6}{code}".rstrip()


def change_line(job: Job, now: float) -> str:
    """A job's new state, for a log."""
    error = failure(job)
    said = f": {one_line(error)}" if error is not None else ""
    count = f", {pages(job)} pages" if job.report is not None else ""
    more = "" if job.state.is_final else remark(job, now)
    return f"{moment(now)}  {job.id}  {job.state.value:<11}  {name_of(job)}{count}{said}{f' ({more})' if more else ''}"


def _user(job: Job) -> str:
    return "network" if job.uid < 0 else str(job.uid)


def _state(job: Job, now: float) -> str:
    progress = f", {pages(job)} pages" if job.state is JobState.RUNNING and pages(job) else ""
    waits = remark(job, now) if job.state is JobState.QUEUED else ""
    return f"{job.state.value}{progress}{f', {waits}' if waits else ''}"


def _runs(job: Job, now: float) -> str:
    parts = [str(job.attempts)]
    if job.interruptions:
        parts.append(f"{job.interruptions} interrupted by the end of the daemon")
    if job.started_at is not None:
        until = job.finished_at if job.finished_at is not None else now
        took = f", {duration(max(until - job.started_at, 0.0))}" if job.state is not JobState.QUEUED else ""
        parts.append(f"the last one from {moment(job.started_at)}{took}")
    return ", ".join(parts)


def _options(job: Job) -> Iterator[tuple[str, str]]:
    if job.priority:
        yield "priority", f"{job.priority:+d}"
    if job.pool is not None:
        yield "pool", printable(job.pool)
    if job.deadline_s is not None:
        yield "deadline", f"{format_duration(round(job.deadline_s, 3))} for each run"
    if job.key is not None:
        yield "key", printable(job.key)
    if job.labels:
        yield "labels", ", ".join(printable(f"{name}={value}") for name, value in sorted(job.labels.items()))
    yield "user", _user(job)


def _result(job: Job) -> Iterator[tuple[str, str]]:
    report = job.report
    if report is None:
        return
    bad = [f"{report.pages_partial} partial"] if report.pages_partial else []
    bad += [f"{report.pages_failed} failed"] if report.pages_failed else []
    yield "pages", ", ".join([str(report.pages), *bad])
    for problem in report.problems[:_PAGES_NAMED]:
        reasons = ", ".join(problem.reasons) or "no reason given"
        yield "", printable(f"page {problem.number} {problem.status.value} ({reasons})")
    if len(report.problems) > _PAGES_NAMED:
        yield "", f"{report.pages_partial + report.pages_failed - _PAGES_NAMED} more; see --json"
    yield "result", f"{report.size_bytes} bytes, {report.media_type}, {report.cpu_s:.2f} s of CPU time"


def _fault(job: Job) -> Iterator[tuple[str, str]]:
    fault = job.fault
    if fault is None:
        return
    label = "error" if job.state.is_final else "last error"
    page = f", page {fault.page}" if fault.page is not None else ""
    yield label, printable(" ".join(f"{fault.message} ({fault.code}{page})".split()))
    if fault.hint:
        yield "what to do", printable(" ".join(fault.hint.split()))
