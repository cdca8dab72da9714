"""One operation on the store: what it is, and what it did within its transaction."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ndfd.model.jobs import Job
from ndfd.platform import storage
from ndfd.store.queries import QUERIES
from ndfd.store.rows import JobRow
from ndfd.store.spool import Spool, Staged
from ndfd.store.steps import Step
from ndfd.store.tally import Tally

T = TypeVar("T")

DOCUMENT_STEPS = (Step.STAGED, Step.DOCUMENT_SYNCED, Step.DOCUMENT_LINKED, Step.FOLDER_SYNCED)
RESULT_STEPS = (Step.RESULT_STAGED, Step.RESULT_SYNCED, Step.RESULT_LINKED, Step.RESULT_FOLDER_SYNCED)


@dataclass(slots=True)
class Work:
    """What one operation does; it counts once the transaction is committed, and never where it fails."""

    connection: sqlite3.Connection
    now: float
    #: This life of the daemon.
    epoch: int
    reached: Callable[[Step], None]
    #: What it adds to the counts.
    tally: Tally = field(default_factory=Tally)
    #: Jobs as they are now.
    changed: list[Job] = field(default_factory=list)
    #: Ids of jobs that are gone.
    forgotten: list[str] = field(default_factory=list)
    #: Files that nobody may refer to any more.
    released: list[bytes] = field(default_factory=list)
    #: Files that one job fewer refers to, and others still do.
    shared: list[bytes] = field(default_factory=list)
    #: Files that are not what they were written as: removed, so that the same bytes can be put there again.
    damaged: list[bytes] = field(default_factory=list)
    #: Whether its own file is named by a row now.
    referred: bool = False
    #: Steps that are behind it once it is committed.
    steps: list[Step] = field(default_factory=list)
    #: Something was erased that the log shall not keep either.
    erased: bool = False

    def run(self, query: str, *values: Any) -> int:
        """Executes a query by its name; returns how many rows it changed."""
        return self.connection.execute(QUERIES[query], values).rowcount

    def insert(self, query: str, *values: Any) -> int:
        """Executes a query that inserts a row; returns the row's number."""
        number = self.connection.execute(QUERIES[query], values).lastrowid
        assert number is not None
        return number

    def one(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        """The first row of a query."""
        row: tuple[Any, ...] | None = self.connection.execute(QUERIES[query], values).fetchone()
        return row

    def all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.connection.execute(QUERIES[query], values).fetchall()

    def job(self, query: str, *values: Any) -> JobRow | None:
        """The first row of a query for jobs."""
        row = self.one(query, *values)
        return None if row is None else JobRow._make(row)


class Put:
    """A file on its way into the spool with an operation."""

    def __init__(self, source: int, steps: tuple[Step, Step, Step, Step]) -> None:
        """Keeps a descriptor of its own on the source: whoever asked may be gone before it is read."""
        self._source = os.dup(source)
        self.staged_step, self.synced_step, self.linked_step, self.folder_step = steps
        self.staged: Staged | None = None
        #: Its bytes are on the disk.
        self.synced = False

    @property
    def size(self) -> int:
        """Of the source."""
        return os.fstat(self._source).st_size

    def stage(self, spool: Spool) -> Staged:
        """The file without a name, made unless it is there."""
        if self.staged is None:
            self.staged = spool.stage(self._source)
        return self.staged

    def stage_and_sync(self, spool: Spool) -> None:
        """As `stage`, with its bytes on the disk."""
        storage.sync(self.stage(spool).fd)
        self.synced = True

    def close(self) -> None:
        """Gives back what it holds."""
        if self._source >= 0:
            os.close(self._source)
            self._source = -1
        if self.staged is not None:
            self.staged.discard()


class Operation(Generic[T]):
    """Something to be done in a transaction that it may share with others."""

    #: Goes into the spool before.
    put: Put | None = None

    def apply(self, work: Work) -> T:
        """Does it. What it raises undoes it, and nothing of the others."""
        raise NotImplementedError
