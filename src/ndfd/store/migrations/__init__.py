"""The schema of the store: numbered steps in .sql files beside this module, each with its way back."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from ndfd.errors import StoreError

_NAME = re.compile(r"(?P<number>\d{4})_(?P<name>\w+)\.up\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str
    up: str
    down: str


def migrations() -> tuple[Migration, ...]:
    """All there are, in order; they count from 1 without a gap."""
    folder = resources.files(__name__)
    found = sorted(
        (int(match["number"]), match["name"])
        for match in (_NAME.fullmatch(entry.name) for entry in folder.iterdir())
        if match
    )
    return tuple(
        Migration(
            number,
            name,
            *(folder.joinpath(f"{number:04}_{name}.{way}.sql").read_text(encoding="utf-8") for way in ("up", "down")),
        )
        for number, name in found
    )


def version(connection: sqlite3.Connection) -> int:
    """Number of the last step that the database has; 0 for an empty one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_outdated(connection: sqlite3.Connection) -> bool:
    """Whether the database has jobs in a form of before: an empty one has none."""
    return 0 < version(connection) < len(migrations())


def migrate(connection: sqlite3.Connection, to: int | None = None) -> int:
    """Takes the database forwards or back to the step `to`, or to the newest; returns where it was.

    All of it is one transaction: it arrives or nothing has changed. `StoreError` when a step is not known: a database
    of a newer ndfd can only be taken back by that one.
    """
    steps = migrations()
    newest = len(steps)
    target = newest if to is None else to
    before = version(connection)
    if before > newest:
        raise StoreError(
            f"the store has version {before} and this ndfd knows versions up to {newest}",
            hint="run the newer ndfd that made it, or restore a backup of before",
        )
    if not 0 <= target <= newest:
        raise StoreError(f"the store cannot be taken to version {target}: there are 0 to {newest}")
    if before == target:
        return before
    up = [step.up for step in steps[before:target]]
    down = [step.down for step in reversed(steps[target:before])]
    connection.execute("BEGIN IMMEDIATE")
    try:
        for script in up or down:
            for statement in statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {target}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return before


def statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: `executescript` would commit before the first."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if line.rstrip().endswith(";") and sqlite3.complete_statement(pending):
            yield pending
            pending = ""
