"""The database as it was at one moment, while the store goes on writing to it."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from ndfd.errors import StorageFull, StoreDamaged

#: Begins the names of copies in the state folder; what is left of one means that the daemon ended just then.
COPY_PREFIX = "backup-"
#: Of one step of the copy, 4 MB: between two of them it can be stopped.
_PAGES = 1024


class Snapshot(NamedTuple):
    """A copy that has no name any more: it is gone with its last descriptor."""

    connection: sqlite3.Connection
    #: Of the same file, to read its bytes.
    fd: int


@contextmanager
def snapshot(database: Path, keep_free_bytes: int, check: Callable[[], None]) -> Iterator[Snapshot]:
    """A checked copy for the length of the block; `StoreDamaged` when the database is, sqlite3.Error as it comes.

    `check` is called between the steps and ends it by raising. The copy takes as much room beside the database as that
    one has; `StorageFull` when less than `keep_free_bytes` would be left then.
    """
    room = os.statvfs(database.parent)
    free, size = room.f_bavail * room.f_frsize, _size(database)
    if free < size + keep_free_bytes:
        raise StorageFull(
            f"{database.parent}: {free} bytes are free, and a backup takes {size} of them for a copy of the database",
        )
    for left in database.parent.glob(f"{COPY_PREFIX}*"):
        left.unlink(missing_ok=True)
    path = database.parent / f"{COPY_PREFIX}{secrets.token_hex(8)}"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as copy:
            try:
                _copy(database, copy, check)
            finally:
                path.unlink(missing_ok=True)
            yield Snapshot(copy, fd)
    finally:
        os.close(fd)


def sound(connection: sqlite3.Connection) -> str | None:
    """What SQLite finds wrong with a database; None when it finds nothing."""
    rows = connection.execute("PRAGMA quick_check(1)").fetchall()
    return None if rows == [("ok",)] else str(rows[0][0])


def _size(database: Path) -> int:
    """Of the database, with what its WAL may add to it."""
    wal = database.with_name(database.name + "-wal")
    return sum(path.stat().st_size for path in (database, wal) if path.exists())


def _copy(database: Path, copy: sqlite3.Connection, check: Callable[[], None]) -> None:
    # It is read by us alone, and thrown away when anything goes wrong.
    copy.execute("PRAGMA synchronous = OFF")
    copy.execute("PRAGMA journal_mode = MEMORY")
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, isolation_level=None)) as source:
        # The read transaction that the copy is made in: what is committed from here on is not seen, and does not make
        # sqlite3_backup_step(3) begin anew. Writers go on; only the WAL is not shortened meanwhile.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM meta").fetchone()
        source.backup(copy, pages=_PAGES, progress=lambda _status, _left, _all: check())
    # The copy says that it has a WAL, as its source has: then it could not be read from a read-only medium.
    copy.execute("PRAGMA journal_mode = DELETE")
    if fault := sound(copy):
        raise StoreDamaged(f"{database}: the database is damaged: {fault}")
