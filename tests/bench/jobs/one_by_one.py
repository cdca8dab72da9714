"""The measure: the same promise for one job at a time, with as little around it as can be.

Each document is written into a file without a name and fsynced, linked, its folder fsynced, its row inserted and
committed with synchronous=FULL; no daemon, no socket, no index, no history.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from pathlib import Path

from tests.bench.jobs.submitters import Sent


def submit(folder: Path, content: bytes, count: int, first: int) -> Sent:
    """So many documents of this content with another number at the end of each."""
    folder.mkdir(exist_ok=True)
    with contextlib.closing(sqlite3.connect(folder / "jobs.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, hash BLOB, size INTEGER)")
        spool = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        took = []
        begun = time.perf_counter()
        for number in range(first, first + count):
            each = time.perf_counter()
            _one(connection, spool, content[:-12] + b"%012d" % number)
            took.append(time.perf_counter() - each)
        wall_s = time.perf_counter() - begun
        os.close(spool)
    return Sent(wall_s, took)


def _one(connection: sqlite3.Connection, spool: int, content: bytes) -> None:
    digest = hashlib.sha256(content)
    fd = os.open(f"/proc/self/fd/{spool}", os.O_TMPFILE | os.O_WRONLY, 0o600)
    try:
        os.write(fd, content)
        os.fsync(fd)
        os.link(f"/proc/self/fd/{fd}", digest.hexdigest(), dst_dir_fd=spool, follow_symlinks=True)
    finally:
        os.close(fd)
    os.fsync(spool)
    connection.execute("INSERT INTO jobs (hash, size) VALUES (?, ?)", (digest.digest(), len(content)))
