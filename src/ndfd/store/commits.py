"""The store's one thread: it takes all that waits, and all of that shares the disk's one answer.

A sync of the disk costs milliseconds however little is written: so those who come while one goes on are served together
by the next.
"""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ndfd.errors import NdfdError, StorageFull
from ndfd.platform import storage
from ndfd.store.database import ours
from ndfd.store.queries import QUERIES
from ndfd.store.spool import Spool
from ndfd.store.steps import Step
from ndfd.store.tally import Tally
from ndfd.store.work import Operation, Put, Work

#: Of one transaction.
_AT_ONCE = 128


class Outcome(NamedTuple):
    """What became of an operation."""

    ticket: Any
    value: Any
    error: Exception | None
    work: Work | None


class _Item(NamedTuple):
    operation: Operation[Any]
    ticket: Any


class Commits:
    """Does operations in batches, in the order in which they were handed in."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        spool: Spool,
        *,
        epoch: int,
        now: Callable[[], float],
        tally: Callable[[sqlite3.Connection], Tally],
        reached: Callable[[Step], None],
        done: Callable[[list[Outcome]], None],
    ) -> None:
        """`done` is called in the thread with what became of each batch."""
        self._connect = connect
        self._spool = spool
        self._epoch = epoch
        self._now = now
        self._count = tally
        self._reached = reached
        self._done = done
        self._items: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._connection = connect()
        self.tally = tally(self._connection)
        self._thread = threading.Thread(target=self._run, name="ndfd-store")
        self._erased = False
        self._pins = 0
        self._pin_lock = threading.Lock()
        self._unpinned: set[bytes] = set()

    @property
    def _folder(self) -> Path:
        return self._spool.folder.parent

    def start(self) -> None:
        """Begins to work."""
        self._thread.start()

    def hand_in(self, operation: Operation[Any], ticket: Any) -> None:
        """To be done; `ticket` comes back with the outcome."""
        self._items.put(_Item(operation, ticket))

    def stop(self) -> None:
        """Returns when all that was handed in is done and the database is closed."""
        self._items.put(None)
        if self._thread.ident is not None:
            self._thread.join()
        self._connection.close()

    def pin(self) -> None:
        """No file of the spool is removed until `unpin` was called as often."""
        with self._pin_lock:
            self._pins += 1

    def unpin(self) -> None:
        """What was to be removed meanwhile is removed with the next batch."""
        with self._pin_lock:
            self._pins -= 1

    def _run(self) -> None:
        while True:
            batch, last = self._take()
            if batch:
                self._done(self._perform(batch))
            if self._erased and self._items.empty():
                self._empty_log()
            if last:
                return

    def _take(self) -> tuple[list[_Item], bool]:
        batch: list[_Item] = []
        while len(batch) < _AT_ONCE:
            try:
                item = self._items.get(block=not batch)
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def _perform(self, batch: list[_Item]) -> list[Outcome]:
        failed: list[Outcome] = []
        try:
            fit = self._put_all(batch, failed)
            outcomes = self._commit_or_part(fit)
            self._remove(fit, outcomes)
        finally:
            for item in batch:
                if item.operation.put is not None:
                    item.operation.put.close()
        return failed + outcomes

    # Files

    def _put_all(self, batch: list[_Item], failed: list[Outcome]) -> list[_Item]:
        """Those whose files are in the spool, on the disk; the others have failed."""

        def each(items: Iterable[_Item], do: Callable[[Put], None]) -> list[_Item]:
            good = []
            for item in items:
                try:
                    if item.operation.put is not None:
                        do(item.operation.put)
                    good.append(item)
                except Exception as error:  # noqa: BLE001  # Of one item: told to whoever asked for it.
                    failed.append(Outcome(item.ticket, None, ours(error, self._folder), None))
            return good

        good = each(batch, self._stage)
        # Only when the writeback of all has begun: then the first sync waits for all, and the others find it done.
        good = each(good, self._sync)
        by_folder: defaultdict[Path | None, list[_Item]] = defaultdict(list)
        for item in good:
            put = item.operation.put
            path = None if put is None or put.staged is None else self._spool.path(put.staged.hash).parent
            by_folder[path].append(item)
        linked = by_folder.pop(None, [])
        opened: list[tuple[int, list[_Item]]] = []
        for folder, items in by_folder.items():
            assert folder is not None
            try:
                folder_fd = storage.open_folder(folder)
            except OSError as error:
                failed += [Outcome(item.ticket, None, ours(error, self._folder), None) for item in items]
                continue
            opened.append((folder_fd, each(items, lambda put, fd=folder_fd: self._link(put, fd))))
        for folder_fd, items in opened:
            try:
                storage.sync(folder_fd)
                linked += each(items, lambda put: self._reached(put.folder_step))
            except OSError as error:
                failed += [Outcome(item.ticket, None, ours(error, self._folder), None) for item in items]
            finally:
                os.close(folder_fd)
        # As they came: who was first with a key has it.
        order = {id(item): place for place, item in enumerate(batch)}
        return sorted(linked, key=lambda item: order[id(item)])

    def _stage(self, put: Put) -> None:
        put.stage(self._spool)
        self._reached(put.staged_step)

    def _sync(self, put: Put) -> None:
        staged = put.stage(self._spool)
        if not staged.synced:
            storage.sync(staged.fd)
            staged.synced = True
        self._reached(put.synced_step)

    def _link(self, put: Put, folder_fd: int) -> None:
        self._spool.link(put.stage(self._spool), folder_fd)
        self._reached(put.linked_step)

    # Rows

    def _commit_or_part(self, items: list[_Item]) -> list[Outcome]:
        """All in one transaction; where that fails as a whole, each in its own, so that one cannot fail the others."""
        try:
            return self._commit(items)
        except sqlite3.Error as error:
            self._roll_back(error)
            if len(items) == 1:
                return [Outcome(items[0].ticket, None, ours(error, self._folder), None)]
        return [outcome for item in items for outcome in self._commit_or_part([item])]

    def _commit(self, items: list[_Item]) -> list[Outcome]:
        if not items:
            return []
        connection = self._connection
        now = self._now()
        connection.execute("BEGIN IMMEDIATE")
        outcomes = [self._apply(item, now) for item in items]
        connection.execute(QUERIES["set_meta"], ("last_moment", now))
        connection.execute("COMMIT")
        for outcome in outcomes:
            if outcome.work is not None:
                self.tally.add(outcome.work.tally)
                self._erased |= outcome.work.erased
                for step in outcome.work.steps:
                    self._reached(step)
        return outcomes

    def _apply(self, item: _Item, now: float) -> Outcome:
        connection = self._connection
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

    def _roll_back(self, error: sqlite3.Error) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        if not isinstance(ours(error, self._folder), StorageFull):
            self._reconnect()

    def _reconnect(self) -> None:
        """After an error of the disk nobody knows what the log has: a new connection reads it anew."""
        self._connection.close()
        self._connection = self._connect()
        self.tally = self._count(self._connection)

    # Afterwards

    def _remove(self, items: list[_Item], outcomes: list[Outcome]) -> None:
        """Removes the files that no row names any more, or that none has come to name."""
        for item, outcome in zip(items, outcomes, strict=True):
            if outcome.work is not None:
                self._unpinned.update(outcome.work.released)
            put = item.operation.put
            if put is not None and put.staged is not None and (outcome.work is None or not outcome.work.referred):
                self._unpinned.add(put.staged.hash)
        with self._pin_lock:
            if self._pins:
                return
            for digest in self._unpinned:
                if self._connection.execute(QUERIES["blob"], (digest,)).fetchone() is None:
                    self._spool.unlink(digest)
                    self._reached(Step.UNLINKED)
            self._unpinned.clear()

    def _empty_log(self) -> None:
        """What was erased shall not be in the log either. A reader may hold it open: then at another time."""
        busy, _pages, _moved = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self._erased = bool(busy)
