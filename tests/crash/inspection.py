"""What a store really holds: through its own methods, and beside them from its files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections import Counter
from pathlib import Path

from ndfd.model.job_states import FINAL, JobState
from ndfd.model.jobs import LIST_MAX, Job, JobQuery
from ndfd.store import Store
from tests.crash.judge import Kept


async def jobs_of(store: Store) -> list[Job]:
    """Every job."""
    jobs: list[Job] = []
    cursor: str | None = None
    while True:
        page = await store.list(JobQuery(cursor=cursor, limit=LIST_MAX), None)
        jobs += page.jobs
        if (cursor := page.cursor) is None:
            return jobs


async def everything(store: Store) -> list[Kept]:
    """Every job with its history and its result."""
    kept = []
    for job in await jobs_of(store):
        result = None
        if job.state is JobState.SUCCEEDED:
            _, fd = await store.result(job.id, None)
            result = digest(fd)
        kept.append(Kept(await store.get(job.id, None), await store.history(job.id, None), result))
    return kept


def digest(fd: int) -> str:
    """SHA-256 of what is behind the descriptor, which is closed."""
    with open(fd, "rb") as file:
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def spool_files(folder: Path) -> dict[str, str]:
    """The files of the spool by the hash they are named for, each with the hash of what is in it."""
    found = {}
    for path in (folder / "spool").rglob("*"):
        if path.is_file():
            found[path.parent.name + path.name] = digest(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    return found


def folder_files(folder: Path) -> dict[str, str]:
    """The files of a folder by name, with the hash of what is in them."""
    return {path.name: digest(os.open(path, os.O_RDONLY | os.O_CLOEXEC)) for path in folder.iterdir()}


def database_faults(folder: Path) -> list[str]:
    """What SQLite finds wrong with the database of a store that is closed, and how its counts of references differ."""
    (path,) = folder.glob("*.db")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        told = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        faults = [] if told == ["ok"] else [f"DAMAGED: {line}" for line in told]
        named = Counter[bytes]()
        for (name,) in connection.execute(
            "SELECT document FROM jobs UNION ALL SELECT result FROM jobs WHERE result IS NOT NULL"
        ):
            named[name] += 1
        counted = {name: refs for name, refs in connection.execute("SELECT hash, refs FROM blobs") if refs}
        if counted != dict(named):
            wrong = {name.hex(): (counted.get(name), named.get(name)) for name in counted.keys() ^ named.keys()}
            faults.append(f"references are counted wrongly: {wrong or 'other numbers'}")
    return faults


def account_faults(store: Store, jobs: list[Job]) -> list[str]:
    """What the store says of its load, which it keeps in memory, where its rows say otherwise."""
    faults = []
    states = Counter(job.state for job in jobs)
    told = {state: count for state, count in store.totals().jobs.items() if count}
    if told != dict(states):
        faults.append(f"the store counts {told}, and has {dict(states)}")
    for uid in {job.uid for job in jobs}:
        live = [job for job in jobs if job.uid == uid and job.state not in FINAL]
        load = store.load(uid)
        if (load.jobs_of_user, load.bytes_of_user) != (len(live), sum(job.size_bytes for job in live)):
            faults.append(f"the store counts {load} for user {uid}, who has {len(live)} live jobs")
    return faults
