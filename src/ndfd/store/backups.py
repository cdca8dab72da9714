"""Backups of a running store: one at a time, each in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from ndfd.errors import Busy, ShuttingDown
from ndfd.model.jobs import BackupReport
from ndfd.store.backup import Stopped, write_backup
from ndfd.store.database import ours
from ndfd.store.spool import Spool


class Backups:
    """Makes them."""

    def __init__(
        self, database: Path, pinned: Callable[[], AbstractContextManager[Spool]], keep_free_bytes: int
    ) -> None:
        """`pinned` keeps every file of the spool for the length of its block."""
        self._database = database
        self._pinned = pinned
        self._keep_free_bytes = keep_free_bytes
        self._threads = ThreadPoolExecutor(1, "ndfd-store-backup")
        self._stop: threading.Event | None = None
        self._closed = False

    async def make(self, fd: int) -> BackupReport:
        """Writes one to a descriptor, of which it keeps its own; `Busy` while another one is made."""
        if self._closed:
            raise ShuttingDown("the daemon is stopping")
        if self._stop is not None:
            raise Busy("another backup is being made", hint="try again when it is done")
        self._stop = stop = threading.Event()
        written = asyncio.get_running_loop().run_in_executor(self._threads, self._write, os.dup(fd), stop)
        try:
            return await asyncio.shield(written)
        except asyncio.CancelledError:
            stop.set()
            with suppress(Exception):
                await written
            raise
        finally:
            self._stop = None

    def close(self) -> None:
        """Stops the one that is being made; returns when it has."""
        self._closed = True
        if (stop := self._stop) is not None:
            stop.set()
        self._threads.shutdown()

    def _write(self, fd: int, stop: threading.Event) -> BackupReport:
        try:
            with self._pinned() as spool:
                return write_backup(
                    self._database,
                    spool,
                    fd,
                    keep_free_bytes=self._keep_free_bytes,
                    stopped=stop.is_set,
                )
        except Stopped:
            raise ShuttingDown("the backup was stopped before it was whole") from None
        except (OSError, sqlite3.Error) as error:
            raise ours(error, self._database.parent) from error
        finally:
            os.close(fd)
