"""The store's own threads: each takes all that waits, and all of that shares the disk's one answer.

A sync of the disk costs milliseconds however little is written: so those who come while one goes on are served together
by the next. One thread has the bytes of files written; the other, alone, links and unlinks files and writes to the
database. While the second waits for the disk, the first prepares its next batch.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ndfd.errors import NdfdError, StorageFull
from ndfd.store.database import empty_log, ours, rewrite_log
from ndfd.store.queries import QUERIES
from ndfd.store.spool import Spool
from ndfd.store.staging import Staging
from ndfd.store.steps import Step
from ndfd.store.tally import Tally
from ndfd.store.work import Operation, Work

#: Of one transaction, and of the files that are open at once for it.
AT_ONCE = 128
#: Seconds in which an operation is done or has failed, however slow the disk: another lock is waited for ten.
STUCK_S = 120.0
#: Seconds until it is tried again where a reader held the log open.
_EMPTY_LOG_AGAIN_S = 1.0


class Outcome(NamedTuple):
    """What became of an operation."""

    ticket: Any
    value: Any
    error: Exception | None
    work: Work | None


class _Item(NamedTuple):
    operation: Operation[Any]
    ticket: Any


_Items = queue.SimpleQueue[_Item | None]


class Commits:
    """Does operations in batches."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        spool: Spool,
        *,
        epoch: int,
        now: Callable[[], float],
        tally: Callable[[sqlite3.Connection], Tally],
        reached: Callable[[Step], None],
        done: Callable[[Sequence[Outcome]], None],
        reset_readers: Callable[[], None],
    ) -> None:
        """`done` is called in a thread with what became of each batch; `reset_readers` closes other connections."""
        self._connect = connect
        self._spool = spool
        self._staging = Staging(spool, reached)
        self._epoch = epoch
        self._now = now
        self._count = tally
        self._reached = reached
        self._tell = done
        #: When it was handed in, by the monotonic clock, of each ticket whose operation is not done: the oldest first.
        self._handed_in: dict[Any, float] = {}
        self._reset_readers = reset_readers
        self._to_stage: _Items = queue.SimpleQueue()
        self._to_commit: _Items = queue.SimpleQueue()
        self._connection: sqlite3.Connection | None = connect()
        self.tally = tally(self._connection)
        self._threads = (
            threading.Thread(target=self._stage, name="ndfd-store-stage"),
            threading.Thread(target=self._commit, name="ndfd-store"),
        )
        self._erased = False
        self._pins = 0
        self._pin_lock = threading.Lock()
        #: Files that nothing names any more, as far as is known.
        self._unnamed: set[bytes] = set()
        #: Files that were found to have other bytes than they should.
        self._damaged: set[bytes] = set()

    @property
    def _folder(self) -> Path:
        return self._spool.folder.parent

    def start(self) -> None:
        """Begins to work."""
        for thread in self._threads:
            thread.start()

    def hand_in(self, operation: Operation[Any], ticket: Any) -> None:
        """To be done; `ticket` comes back with the outcome."""
        self._handed_in[ticket] = time.monotonic()
        (self._to_commit if operation.put is None else self._to_stage).put(_Item(operation, ticket))

    def stuck(self) -> str | None:
        """Why nothing is done although it should be; None while all is well."""
        oldest = next(iter(self._handed_in.copy().values()), None)
        if oldest is None or (waited_s := time.monotonic() - oldest) <= STUCK_S:
            return None
        return f"the job store in {self._folder} has not written for {waited_s:.0f} s what it was asked to"

    def stop(self) -> None:
        """Returns when all that was handed in is done and the database is closed."""
        self._to_stage.put(None)
        for thread in self._threads:
            if thread.ident is None:
                break
            thread.join()
        self._staging.stop()
        self._spool.close()
        if self._connection is not None:
            self._connection.close()

    def pin(self) -> None:
        """No file of the spool is removed until `unpin` was called as often."""
        with self._pin_lock:
            self._pins += 1

    def unpin(self) -> None:
        """What was to be removed meanwhile is removed with the next batch."""
        with self._pin_lock:
            self._pins -= 1

    def _done(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            del self._handed_in[outcome.ticket]
        self._tell(outcomes)

    # Files

    def _stage(self) -> None:
        while True:
            batch, last = _take(self._to_stage)
            failures = self._staging.stage([item.operation for item in batch])
            for item in self._fit(batch, failures):
                self._to_commit.put(item)
            if last:
                self._to_commit.put(None)
                return

    def _fit(self, batch: Sequence[_Item], failures: dict[Operation[Any], Exception]) -> list[_Item]:
        """Those that did not fail. The others are told."""
        fit = []
        failed = []
        for item in batch:
            error = failures.get(item.operation)
            if error is None:
                fit.append(item)
                continue
            failed.append(Outcome(item.ticket, None, ours(error, self._folder), None))
            _close(item)
        if failed:
            self._done(failed)
        return fit

    # Rows

    def _commit(self) -> None:
        while True:
            batch, last = _take(self._to_commit, _EMPTY_LOG_AGAIN_S if self._erased else None)
            if batch:
                failures = self._staging.link([item.operation for item in batch])
                for operation in failures:
                    self._suspect(operation)
                fit = self._fit(batch, failures)
                outcomes = self._commit_or_part(fit)
                self._remove(fit, outcomes)
                self._done(outcomes)
                # Not before: to drop a large file that was there already takes a time that would tell of it.
                for item in fit:
                    _close(item)
            if self._erased and self._to_commit.empty():
                self._empty_log()
            if last:
                return

    def _commit_or_part(self, items: list[_Item]) -> list[Outcome]:
        """All in one transaction; where that fails as a whole, each in its own, so that one cannot fail the others."""
        if not items:
            return []
        try:
            return self._commit_all(items)
        except Exception as error:  # noqa: BLE001  # The thread lives on; whoever asked is told.
            self._roll_back(error)
            if len(items) == 1:
                return [Outcome(items[0].ticket, None, ours(error, self._folder), None)]
        return [outcome for item in items for outcome in self._commit_or_part([item])]

    def _commit_all(self, items: list[_Item]) -> list[Outcome]:
        connection = self._connected()
        now = self._now()
        connection.execute("BEGIN IMMEDIATE")
        outcomes = [self._apply(connection, item, now) for item in items]
        connection.execute(QUERIES["set_meta"], ("last_moment", now))
        connection.execute("COMMIT")
        for outcome in outcomes:
            if outcome.work is not None:
                self.tally.add(outcome.work.tally)
                self._erased |= outcome.work.erased
                for step in outcome.work.steps:
                    self._reached(step)
        return outcomes

    def _apply(self, connection: sqlite3.Connection, item: _Item, now: float) -> Outcome:
        work = Work(connection, now, self._epoch, self._reached)
        connection.execute("SAVEPOINT operation")
        try:
            value = item.operation.apply(work)
        except NdfdError as error:
            connection.execute("ROLLBACK TO operation")
            connection.execute("RELEASE operation")
            return Outcome(item.ticket, None, error, None)
        connection.execute("RELEASE operation")
        return Outcome(item.ticket, value, None, work)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = self._connect()
            try:
                rewrite_log(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self.tally = self._count(self._connection)
        return self._connection

    def _roll_back(self, error: Exception) -> None:
        """After an error of the disk nobody knows what the log has: the next connection reads it anew."""
        connection = self._connection
        if connection is None:
            return
        with contextlib.suppress(sqlite3.Error):
            if isinstance(ours(error, self._folder), StorageFull):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                return
        self._reset_readers()
        with contextlib.suppress(sqlite3.Error):
            connection.close()
        self._connection = None

    # Afterwards

    def _suspect(self, operation: Operation[Any]) -> None:
        """Perhaps no row names its file."""
        if operation.put is not None and operation.put.staged is not None:
            self._unnamed.add(operation.put.staged.hash)

    def _remove(self, items: Sequence[_Item], outcomes: Sequence[Outcome]) -> None:
        """Removes the files that no row names any more, or that none has come to name."""
        for item, outcome in zip(items, outcomes, strict=True):
            if outcome.work is None or not outcome.work.referred:
                self._suspect(item.operation)
            if outcome.work is not None:
                self._unnamed.update(outcome.work.released)
                for digest in outcome.work.shared:
                    self._spool.touch(digest)
                # Whether it still is: somebody may have sent the same bytes anew since.
                self._damaged.update(outcome.work.damaged)
        # What fails stays in its set and is tried with the next batch; the next life's sweep finds it as well.
        for digest in tuple(self._damaged):
            with contextlib.suppress(OSError):
                if not self._spool.is_sound(digest):
                    self._spool.unlink(digest)
                self._damaged.remove(digest)
        with contextlib.suppress(sqlite3.Error, OSError, NdfdError):
            self._remove_unnamed()

    def _remove_unnamed(self) -> None:
        with self._pin_lock:
            for digest in () if self._pins else tuple(self._unnamed):
                if self._connected().execute(QUERIES["blob"], (digest,)).fetchone() is None:
                    try:
                        self._spool.unlink(digest)
                    except OSError:
                        continue
                    self._reached(Step.UNLINKED)
                self._unnamed.remove(digest)

    def _empty_log(self) -> None:
        """What was erased shall not be in the log either. A reader may hold it open: then at another time."""
        with contextlib.suppress(sqlite3.Error, OSError, NdfdError):
            self._erased = not empty_log(self._connected())


def _take(items: _Items, timeout: float | None = None) -> tuple[list[_Item], bool]:
    """All that waits, at least one unless the time is up; and whether nothing comes any more."""
    batch: list[_Item] = []
    while len(batch) < AT_ONCE:
        try:
            item = items.get(block=not batch, timeout=timeout)
        except queue.Empty:
            break
        if item is None:
            return batch, True
        batch.append(item)
    return batch, False


def _close(item: _Item) -> None:
    if item.operation.put is not None:
        item.operation.put.close()
