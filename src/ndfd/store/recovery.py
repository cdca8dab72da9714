"""What a new life of the daemon does with what the last one left: takes back leases, counts, removes stray files."""

from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ndfd.errors import DocumentKillsWorkers, StoreDamaged
from ndfd.model.job_states import JobEvent, JobState
from ndfd.model.jobs import JobFault
from ndfd.store.clock import Clock
from ndfd.store.commits import AT_ONCE
from ndfd.store.database import check, connect
from ndfd.store.leases import Run
from ndfd.store.log import has_lost_commits
from ndfd.store.migrations import is_outdated, migrate
from ndfd.store.queries import QUERIES
from ndfd.store.rows import JobRow
from ndfd.store.spool import Spool
from ndfd.store.steps import Step
from ndfd.store.tally import Tally
from ndfd.store.transitions import finish, requeue
from ndfd.store.under_way import Left, UnderWay, left
from ndfd.store.work import Work

_log = logging.getLogger(__name__)

#: A job whose document a worker had at so many ends of the daemon is put aside: it may be what ends it.
INTERRUPTIONS_MAX = 10
#: Of one transaction.
_TAKEN_BACK_AT_ONCE = 500
#: Instructions of SQLite's machine between two signs of life: some tens of milliseconds.
_ALIVE_EVERY = 1_000_000


class Meta(NamedTuple):
    """What a life begins with."""

    #: Its number.
    epoch: int
    #: Keys the fingerprints.
    secret: bytes
    #: That the life before has written.
    last_moment: float


@dataclass(frozen=True, slots=True)
class Life:
    """One of the daemon's, from the opening of the store on."""

    epoch: int
    secret: bytes
    clock: Clock
    #: Jobs that the life before had under way.
    taken_back: int
    #: Where it is recorded which of them have a worker.
    under_way: UnderWay


def begin_life(database: Path, spool: Spool, opening: Callable[[str], None] = lambda doing: None) -> Life:
    """Looks at all that there is, brings it to the form of today, and puts it in order.

    `opening` is told what it does, again and again while that goes on.
    `StoreDamaged` when it is not what was written, `StoreError` when a newer ndfd has made it.
    """
    opening("checking the job store")
    connection = connect(database)
    try:
        _tell_alive(connection, opening, "checking the job store")
        refuse_lost(connection, database, spool)
        check(connection, database)
        lost_commits = has_lost_commits(connection, database)
        if is_outdated(connection):
            _tell_alive(connection, opening, "migrating the job store")
        migrate(connection)
        _tell_alive(connection, opening, "taking up the jobs that were running")
        meta = begin(connection)
        clock = Clock(meta.last_moment)
        taken_back = take_back(connection, meta.epoch, clock.now(), left(database.parent))
        _tell_alive(connection, opening, "looking through the files of the job store")
        sweep(connection, spool, meta.last_moment, lost_commits=lost_commits)
    finally:
        connection.close()
    return Life(meta.epoch, meta.secret, clock, taken_back, UnderWay(database.parent))


def _tell_alive(connection: sqlite3.Connection, opening: Callable[[str], None], doing: str) -> None:
    """From now on SQLite itself has it told, as it goes on: it is silent where SQLite hangs."""
    opening(doing)

    def alive() -> int:
        opening(doing)
        return 0

    connection.set_progress_handler(alive, _ALIVE_EVERY)


def refuse_lost(connection: sqlite3.Connection, path: Path, spool: Spool) -> None:
    """`StoreDamaged` when there are files and no database: a sweep would take them for nobody's."""
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if empty and next(spool.hashes(), None) is not None:
        raise StoreDamaged(
            f"{path} is empty or was not there, and {spool.folder} holds files of jobs",
            hint=f"put a backup back with `ndfd restore --replace`; to begin anew, move {path.parent} away",
        )


def begin(connection: sqlite3.Connection) -> Meta:
    """Begins a new life."""
    known = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    meta = Meta(
        epoch=int(known.get("epoch", 0)) + 1,
        secret=bytes(known.get("secret", b"")) or secrets.token_bytes(32),
        last_moment=float(known.get("last_moment", 0.0)),
    )
    connection.execute("BEGIN IMMEDIATE")
    for name, value in (("epoch", meta.epoch), ("secret", meta.secret)):
        connection.execute(QUERIES["set_meta"], (name, value))
    connection.execute("COMMIT")
    return meta


def take_back(connection: sqlite3.Connection, epoch: int, now: float, before: Left) -> int:
    """Puts what ran in the life `before` back in the queue; returns how many jobs."""
    taken_back = 0
    last = ""
    while True:
        rows = connection.execute(QUERIES["running"], (last, _TAKEN_BACK_AT_ONCE)).fetchall()
        if not rows:
            return taken_back
        connection.execute("BEGIN IMMEDIATE")
        for row in map(JobRow._make, rows):
            last = row.id
            _take_back(Work(connection, now, epoch, _unheard), row, before)
            taken_back += 1
        connection.execute("COMMIT")


def _take_back(work: Work, row: JobRow, before: Left) -> None:
    if not before.may_have_ended_it(Run.of(row)):
        # It was leased and waited for a worker, or for its result to be written: nothing counts against it.
        attempts = max(row.attempts - 1, 0)
        requeue(work, row, JobEvent.INTERRUPTED, attempts=attempts, interruptions=row.interruptions)
        return
    interruptions = row.interruptions + 1
    if interruptions < INTERRUPTIONS_MAX:
        requeue(work, row, JobEvent.INTERRUPTED, attempts=row.attempts, interruptions=interruptions)
        return
    error = DocumentKillsWorkers(
        f"the daemon ended {interruptions} times while a worker had this document",
        hint="see the daemon's log for why it ended; run the job again with `ndfd jobs retry ID`",
    )
    finish(work, row, JobEvent.QUARANTINED, fault=JobFault.of(error))


def tally(connection: sqlite3.Connection) -> Tally:
    """Counts everything."""
    counts = Tally()
    for state, uid, jobs, size_bytes, result_bytes in connection.execute(QUERIES["tallies"]):
        known = JobState(state) if state in set(JobState) else JobState.QUARANTINED
        counts.count(known, uid, size_bytes, result_bytes, jobs)
    counts.blob_bytes = connection.execute(QUERIES["blob_bytes"]).fetchone()[0]
    return counts


def sweep(connection: sqlite3.Connection, spool: Spool, last_moment: float, *, lost_commits: bool) -> None:
    """Removes files that no row names: of submissions that were never acknowledged, of jobs that were forgotten.

    Where the database has lost what it had, they are all that is left of jobs, and are put aside.
    """
    spool.empty_incoming()
    spool.empty_beside()
    stray = [digest for digest in spool.hashes() if connection.execute(QUERIES["blob"], (digest,)).fetchone() is None]
    # What one batch has linked and not committed is younger than the last commit, and nothing else is.
    if not lost_commits and sum(spool.linked_at(digest) > last_moment for digest in stray) <= AT_ONCE:
        for digest in stray:
            spool.unlink(digest)
        return
    for digest in stray:
        spool.put_aside(digest)
    why = "its log is damaged" if lost_commits else "it is older than they are"
    _log.error(
        "the database beside %s has lost jobs that were acknowledged: %s. %d documents and results that no job of it "
        "names are kept in %s: submit them again, or put a backup back with `ndfd restore --replace`",
        spool.folder,
        why,
        len(stray),
        spool.lost,
    )


def _unheard(step: Step) -> None:
    """Nobody waits for the steps of a recovery."""
