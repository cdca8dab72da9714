"""Questions to the store: each on a connection that only reads, so that a long list holds up no submission."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from ndfd.errors import JobUnknown
from ndfd.model.job_states import JobState
from ndfd.model.jobs import LIST_MAX, Job, JobChange, JobPage, JobQuery
from ndfd.store import ids
from ndfd.store.queries import QUERIES
from ndfd.store.rows import JobRow, shown, visible
from ndfd.store.values import Delivery, Ready, TakenFile

#: Of the texts of a page's jobs: a user can have 100 connections ask for a thousand jobs with labels of 30 kB each.
PAGE_BYTES = 2_000_000
#: Below any uid.
_BEFORE_ALL = -(1 << 40)


def row(connection: sqlite3.Connection, job_id: str, viewer_uid: int | None) -> JobRow:
    """Of a job by its id or by the beginning of it; `JobUnknown`."""
    if len(job_id) == ids.LENGTH or len(job_id) < ids.PREFIX_MIN:
        found = connection.execute(QUERIES["job"], (job_id,)).fetchone()
        return visible(None if found is None else JobRow._make(found), job_id, viewer_uid)
    # "{" is the character after "z".
    rows = connection.execute(QUERIES["jobs_of_prefix"], (job_id, job_id + "{", viewer_uid)).fetchall()
    if len(rows) > 1:
        raise JobUnknown(f"several jobs have an id that begins with {job_id!r}", hint="give more of the id")
    return visible(JobRow._make(rows[0]) if rows else None, job_id, viewer_uid)


def known(connection: sqlite3.Connection, uid: int, key: str | None, fingerprint: bytes) -> Job | None:
    """The job that is this work of a user's already; with a key, the one that the key stands for."""
    if key is None:
        found = connection.execute(QUERIES["job_of_work"], (uid, fingerprint)).fetchone()
    else:
        found = connection.execute(QUERIES["job_of_key"], (uid, key)).fetchone()
    row = None if found is None else JobRow._make(found)
    return None if row is None or row.fingerprint != fingerprint else shown(row)


def history(connection: sqlite3.Connection, job_id: str, viewer_uid: int | None) -> tuple[JobChange, ...]:
    """What happened to a job, oldest first; `JobUnknown`."""
    number = row(connection, job_id, viewer_uid).number
    return tuple(
        JobChange(at, event, JobState(state), attempt, code)
        for at, event, state, attempt, code in connection.execute(QUERIES["history"], (number,))
    )


def page(connection: sqlite3.Connection, query: JobQuery, viewer_uid: int | None) -> JobPage:
    """The jobs that fit, newest first: fewer than asked for where they are large."""
    limit = max(1, min(query.limit, LIST_MAX))
    statement, values = _list_statement(query, viewer_uid, limit + 1)
    jobs: list[Job] = []
    more, size = False, 0
    for found in map(JobRow._make, connection.execute(statement, values)):
        size += sum(len(str(text).encode()) for text in (found.name, found.labels, found.report, found.fault))
        more = len(jobs) == limit or bool(jobs and size > PAGE_BYTES)
        if more:
            break
        jobs.append(shown(found))
    return JobPage(tuple(jobs), jobs[-1].id if more else None)


def _list_statement(query: JobQuery, viewer_uid: int | None, limit: int) -> tuple[str, list[Any]]:
    terms: list[str] = []
    values: list[Any] = []
    for uid in (viewer_uid, query.uid):
        if uid is not None:
            terms.append("uid = ?")
            values.append(uid)
    if query.states:
        terms.append(f"state IN ({', '.join('?' * len(query.states))})")
        values += [state.value for state in query.states]
    for label in query.labels.items():
        terms.append("number IN (SELECT job FROM labels WHERE name = ? AND value = ?)")
        values += label
    if query.cursor is not None:
        terms.append("id < ?")
        values.append(query.cursor)
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    # Only the fixed words above are put together; what was asked for is bound.
    return f"{QUERIES['list']}{where} ORDER BY id DESC LIMIT ?", [*values, limit]


def ready(connection: sqlite3.Connection, now: float, per_line: int) -> tuple[Ready, ...]:
    """The first of each user's queued jobs that may run, for each pool so many, by rank."""
    found: list[Ready] = []
    waiting = set(_lines(connection, "next_line_ready"))
    postponed = set(_lines(connection, "next_line_postponed"))
    for line in waiting | postponed:
        rows: list[tuple[Any, ...]] = []
        if line in waiting:
            rows += connection.execute(QUERIES["ready"], (*line, per_line))
        if line in postponed:
            rows += connection.execute(QUERIES["due"], (*line, now, per_line))
        found += sorted((Ready(*values) for values in rows), key=lambda job: (job.rank, job.id))[:per_line]
    return tuple(sorted(found, key=lambda job: (job.rank, job.id)))


def _lines(connection: sqlite3.Connection, query: str) -> Iterator[tuple[int, str]]:
    """Each user and pool, "" for the default one, that somebody waits for."""
    last = (_BEFORE_ALL, "")
    while (found := connection.execute(QUERIES[query], last).fetchone()) is not None:
        last = found
        yield last


def next_due(connection: sqlite3.Connection, now: float) -> float | None:
    """When the next postponed job may run; None where none waits for a moment to come."""
    moments = (
        connection.execute(QUERIES["next_due"], (*line, now)).fetchone()[0]
        for line in _lines(connection, "next_line_postponed")
    )
    return min((moment for moment in moments if moment is not None), default=None)


def due_deliveries(
    connection: sqlite3.Connection, now: float, limit: int, only: str | None = None
) -> tuple[Delivery, ...]:
    """Whom to tell now, those first that have waited longest; with `only`, those to this target."""
    rows = (
        connection.execute(QUERIES["deliveries_due"], (now, limit))
        if only is None
        else connection.execute(QUERIES["deliveries_due_to"], (now, only, limit))
    )
    found = []
    for delivery_id, target, attempts, watch, path, mark, *job in rows:
        source = TakenFile(watch, path, mark) if watch else None
        found.append(Delivery(delivery_id, shown(JobRow._make(job)), target, attempts, source))
    return tuple(found)


def delivery_moments(connection: sqlite3.Connection) -> dict[str, float]:
    """By target, when the first of its deliveries that wait is due."""
    return dict(connection.execute(QUERIES["delivery_moments"]).fetchall())


def taken_files(connection: sqlite3.Connection, watch: str) -> dict[str, str]:
    """Paths of a watch folder that were taken, with their marks."""
    return dict(connection.execute(QUERIES["taken_files"], (watch,)).fetchall())


def job(connection: sqlite3.Connection, job_id: str, viewer_uid: int | None) -> Job:
    """A job by its id or by the beginning of it; `JobUnknown`."""
    return shown(row(connection, job_id, viewer_uid))
