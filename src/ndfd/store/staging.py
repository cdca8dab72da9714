"""Files on their way into the spool: first their bytes to the disk, then their names.

Both in batches: the writeback of all begins before the first sync, and several syncs are under way at once, so that the
disk has them all before it to order and to join.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ndfd.platform import storage
from ndfd.store.spool import Spool
from ndfd.store.steps import Step
from ndfd.store.work import Operation, Put

#: Syncs under way at once. Measured on a virtual disk, 48 files of 8 kB in a batch: one at a time 59 to 93 us a file,
#: four 40 to 47, eight no less.
_THREADS = 4


class Staging:
    """Takes the files of operations into the spool; what fails is one operation's, and stands in `failures`."""

    def __init__(self, spool: Spool, reached: Callable[[Step], None]) -> None:
        self._spool = spool
        self._reached = reached
        self._threads = ThreadPoolExecutor(_THREADS, "ndfd-store-sync")

    def stop(self) -> None:
        """No more is asked of it."""
        self._threads.shutdown()

    def stage(self, operations: Sequence[Operation[Any]]) -> dict[Operation[Any], Exception]:
        """Their bytes are on the disk, in files without a name; those that failed, and why."""
        failures: dict[Operation[Any], Exception] = {}
        for operation, put in _puts(operations, failures):
            try:
                put.stage(self._spool)
                self._reached(put.staged_step)
            except Exception as error:  # noqa: BLE001  # Of one operation: told to whoever asked for it.
                failures[operation] = error
        pending = [(operation, put) for operation, put in _puts(operations, failures) if not put.synced]
        failures.update(self._each(pending, _sync_file))
        for _operation, put in _puts(operations, failures):
            self._reached(put.synced_step)
        return failures

    def link(self, operations: Sequence[Operation[Any]]) -> dict[Operation[Any], Exception]:
        """Their files have their names, on the disk; those that failed, and why."""
        failures: dict[Operation[Any], Exception] = {}
        folders: defaultdict[Path, list[tuple[Operation[Any], Put]]] = defaultdict(list)
        for operation, put in _puts(operations, failures):
            assert put.staged is not None
            folders[self._spool.path(put.staged.hash).parent].append((operation, put))
        opened: list[tuple[int, list[tuple[Operation[Any], Put]]]] = []
        try:
            for folder, pairs in folders.items():
                try:
                    folder_fd = storage.open_folder(folder)
                except OSError as error:
                    failures.update({operation: error for operation, _ in pairs})
                    continue
                opened.append((folder_fd, pairs))
                self._link(folder_fd, pairs, failures)
            failed = self._each([(folder_fd, folder_fd) for folder_fd, _ in opened], storage.sync)
        finally:
            for folder_fd, _ in opened:
                os.close(folder_fd)
        for folder_fd, pairs in opened:
            if folder_fd in failed:
                failures.update({operation: failed[folder_fd] for operation, _ in pairs})
        for _operation, put in _puts(operations, failures):
            self._reached(put.folder_step)
        return failures

    def _link(
        self, folder_fd: int, pairs: Iterable[tuple[Operation[Any], Put]], failures: dict[Operation[Any], Exception]
    ) -> None:
        for operation, put in pairs:
            assert put.staged is not None
            try:
                self._spool.link(put.staged, folder_fd)
                self._reached(put.linked_step)
            except OSError as error:
                failures[operation] = error

    def _each(self, pairs: Sequence[tuple[Any, Any]], do: Callable[[Any], None]) -> dict[Any, Exception]:
        """Does it with the second of each pair, several at once; the first of those that failed, and why."""

        def some(part: Sequence[tuple[Any, Any]]) -> dict[Any, Exception]:
            failed: dict[Any, Exception] = {}
            for name, thing in part:
                try:
                    do(thing)
                except OSError as error:
                    failed[name] = error
            return failed

        if len(pairs) <= 2:
            return some(pairs)
        failed: dict[Any, Exception] = {}
        for part in self._threads.map(some, [pairs[start::_THREADS] for start in range(_THREADS)]):
            failed.update(part)
        return failed


def _sync_file(put: Put) -> None:
    assert put.staged is not None
    storage.sync(put.staged.fd)
    put.synced = True


def _puts(
    operations: Iterable[Operation[Any]], failures: dict[Operation[Any], Exception]
) -> list[tuple[Operation[Any], Put]]:
    return [
        (operation, operation.put)
        for operation in operations
        if operation.put is not None and operation not in failures
    ]
