"""The SQLite file: how it is opened, and its errors as ours."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ndfd.errors import NdfdError, StorageFull, StoreDamaged, StoreError

#: "ndfd" in ASCII (PRAGMA application_id): tells our file from any other.
APPLICATION_ID = 0x6E646664
#: STRICT tables came with 3.37, DROP COLUMN and RETURNING with 3.35.
_SQLITE_MIN = (3, 37, 0)
#: Pages (4 kB) of the write-ahead log after which what it holds goes to the database: 16 MB.
_CHECKPOINT_PAGES = 4000
#: For what waits on another connection's lock, in practice a backup's or an operator's sqlite3.
_BUSY_S = 10.0

#: "NULL value in jobs.uid", "TEXT value in jobs.rank", "non-INTEGER value in …": as quick_check says them.
_OF_A_ROW = re.compile(r"[\w-]+ value in \w+\.\w+")

_FULL = {sqlite3.SQLITE_FULL}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


def connect(path: Path) -> sqlite3.Connection:
    """The connection that writes: each commit is on the disk when it returns."""
    if sqlite3.sqlite_version_info < _SQLITE_MIN:
        raise StoreError(
            f"this Python has SQLite {sqlite3.sqlite_version}; the store needs {'.'.join(map(str, _SQLITE_MIN))}",
            hint="use a Python with a newer SQLite",
        )
    # SQLite would let its group and others read it, and gives the log the permissions of the database. One that is
    # there is not opened: to close it would end the locks of all connections of this process (fcntl(2)), and another
    # program could then take the log away from under them.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(
        path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # FULL: the log is synced at every commit (sqlite.org/pragma.html#pragma_synchronous).
        connection.execute("PRAGMA synchronous = FULL")
        # Where fsync leaves the bytes in the drive's cache (macOS); elsewhere it does nothing.
        connection.execute("PRAGMA fullfsync = ON")
        # What is deleted is overwritten with zeros: forgotten jobs are, and passwords.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        _settle(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads, and sees each commit that was made before its query began."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA query_only = ON")
        _settle(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _settle(connection: sqlite3.Connection) -> None:
    # Of a damaged file: what does not fit is an error, and no function of its schema runs.
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cache_size = -16000")
    connection.execute("PRAGMA temp_store = MEMORY")


def check(connection: sqlite3.Connection, path: Path) -> None:
    """`StoreDamaged` when the file is not sound, `StoreError` when it is a database of something else."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if empty:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        return
    if application != APPLICATION_ID:
        raise StoreError(f"{path} is a database, but not one of ndfd", hint="name another folder: [storage] state_dir")
    # A row with values that are never written is one job's misfortune, and is seen when it is read.
    connection.execute("PRAGMA ignore_check_constraints = ON")
    found = [row[0] for row in connection.execute("PRAGMA quick_check(100)")]
    connection.execute("PRAGMA ignore_check_constraints = OFF")
    found = [line for line in found if line != "ok" and not _OF_A_ROW.match(line)]
    if found:
        raise StoreDamaged(f"{path} is damaged: {'; '.join(found[:3])}")


def empty_log(connection: sqlite3.Connection) -> bool:
    """Moves all that the log holds to the database and empties it; False at once while a reader still needs it."""
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        return bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(_BUSY_S * 1000)}")


def rewrite_log(connection: sqlite3.Connection) -> None:
    """Moves all that the log holds to the database; sqlite3.Error when it cannot.

    For a log whose sync has failed: the system takes its pages for written then, and the next sync says nothing of them
    (fsync(2) tells of each error once). What comes after them in the log would be lost with them.
    """
    if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        raise sqlite3.OperationalError("the log is in use, and cannot be written anew")


@contextlib.contextmanager
def errors_in(where: Path) -> Iterator[None]:
    """Errors of SQLite and of the system come out of the block as `ours`."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise ours(error, where) from error


def ours(error: Exception, where: Path) -> NdfdError:
    """An error of SQLite or of the system, at work on a file under `where`, as ours."""
    if isinstance(error, NdfdError):
        return error
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        name = getattr(error, "sqlite_errorname", "")
        primary = None if code is None else code & 0xFF
        if primary in _FULL:
            return StorageFull(f"the disk of {where} is full")
        if primary in _DAMAGED:
            return StoreDamaged(f"the database in {where} is damaged: {error}")
        return StoreError(f"the database in {where} cannot be used: {error}{f' ({name})' if name else ''}")
    if isinstance(error, OSError):
        if error.errno in _NO_SPACE:
            return StorageFull(f"the disk of {where} is full: {error.strerror}")
        return StoreError(f"the files in {where} cannot be written or read: {error.strerror or error}")
    return StoreError(f"the store in {where} failed: {type(error).__name__}: {error}", hint=NdfdError.default_hint)
