"""Whether a database that came from outside is one of ours, before the daemon opens it for writing.

A schema can hold code: triggers, views, expressions in indexes, that run when somebody uses the tables. So a database
is taken only when its schema is, word for word, what the migrations make.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ndfd.store.database import APPLICATION_ID
from ndfd.store.migrations import migrate, migrations, version
from ndfd.store.snapshot import sound

_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"


@contextmanager
def opened(database: Path) -> Iterator[sqlite3.Connection]:
    """For reading, for the length of the block; nothing in the file is trusted, and nothing is written beside it."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)) as found:
        found.execute("PRAGMA trusted_schema = OFF")
        found.execute("PRAGMA cell_size_check = ON")
        found.execute("PRAGMA query_only = ON")
        yield found


def foreign(found: sqlite3.Connection) -> str | None:
    """What tells this database from one that this ndfd wrote, or can bring up to date; None when nothing does."""
    try:
        number = version(found)
        newest = len(migrations())
        if number > newest:
            return f"its database has version {number}, and this ndfd knows versions up to {newest}"
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
            migrate(made, number)
            ours = found.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
            if not ours or number < 1 or _schema(found) != _schema(made):
                return "its database is not one that ndfd made"
        if fault := sound(found):
            return f"its database is damaged: {fault}"
    except sqlite3.Error as error:
        return f"its database is damaged: {error}"
    return None


def _schema(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    # Blanks do not count: taking a column back leaves other ones than never having added it.
    return [tuple(" ".join(str(field).split()) for field in row) for row in connection.execute(_SCHEMA)]
