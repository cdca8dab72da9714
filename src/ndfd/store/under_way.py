"""Which runs have a worker, in a file that outlives the daemon: it tells whose documents may have ended it.

Nothing of it is synced while jobs run, for that would cost each of them a wait for the disk: what is written to a file
outlives the process that wrote it, in whatever way that ends. Only the end of the whole machine can take it along; the
next life sees that the machine was started anew, and suspects every job that was leased.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import NamedTuple

from ndfd.model.jobs import Job
from ndfd.platform import storage
from ndfd.store.leases import Run

_log = logging.getLogger(__name__)

FILE = "underway"
#: Changes with the meaning of what is in the file.
_FORM = b"ndfd-underway-1"
#: The first record is the head; each of the others has the id and the version of a job, or nothing. Whole lines.
_RECORD_BYTES = 64
#: Written in advance, so that a full disk has room for them.
_RECORDS = 256
_READ_MAX_BYTES = 1 << 20
#: Of a version, as SQLite keeps it.
_DIGITS_MAX = 19


class Left(NamedTuple):
    """What a life of the daemon has left."""

    #: Those that had a worker when it ended.
    runs: frozenset[Run]
    #: Whether there can have been no others. Not where the machine ended with it, and not before the first life.
    complete: bool

    def may_have_ended_it(self, run: Run) -> bool:
        """Whether a worker had the document of this run, or nobody knows."""
        return not self.complete or run in self.runs


def left(folder: Path) -> Left:
    """What the last life in this state folder has left; call it before `UnderWay` begins anew."""
    try:
        with (folder / FILE).open("rb") as file:
            head, *records = file.read(_READ_MAX_BYTES).split(b"\n")
    except FileNotFoundError:
        return Left(frozenset(), complete=False)
    runs = frozenset(run for run in map(_run, records) if run is not None)
    return Left(runs, complete=head.rstrip() == _head())


class UnderWay:
    """The file of this life. Its calls write to the page cache only."""

    def __init__(self, folder: Path) -> None:
        """Empties the file, and has it on the disk that it is this life's. OSError when it cannot be written."""
        path = folder / FILE
        self._failed = False
        self._stopped = False
        self._records: dict[Run, int] = {}
        self._free = list(range(_RECORDS, 0, -1))
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = open(path, "r+b", buffering=0, opener=lambda name, _: os.open(name, flags, 0o600))  # noqa: SIM115
        try:
            self._file.write(_record(_head()) + _record(b"") * _RECORDS)
            self._file.truncate()
            storage.sync(self._file.fileno())
            storage.sync_folder(folder)
        except BaseException:
            self._file.close()
            raise

    def add(self, leased: Job) -> None:
        """A worker has the document of the job, as it was leased. Once is enough, and more is as good."""
        run = Run.of(leased)
        if self._stopped or run in self._records:
            return
        self._records[run] = self._free.pop() if self._free else len(self._records) + 1
        self._write(self._records[run], f"{run.id} {run.version}".encode())

    def remove(self, leased: Job) -> None:
        """No worker has it any more; nothing happens when none had."""
        self._remove(Run.of(leased))

    def stop(self) -> None:
        """The daemon was asked to end: however it does, from here on no document is suspected of it."""
        self._stopped = True
        for run in tuple(self._records):
            self._remove(run)

    def close(self) -> None:
        """After `stop`, the last call."""
        self.stop()
        self._file.close()

    def _remove(self, run: Run) -> None:
        record = self._records.pop(run, None)
        if record is not None:
            self._free.append(record)
            self._write(record, b"")

    def _write(self, record: int, text: bytes) -> None:
        try:
            self._file.seek(record * _RECORD_BYTES)
            self._file.write(_record(text))
        except OSError as error:
            # The run itself is none the worse for it. Said once.
            if not self._failed:
                _log.error("what runs is not recorded: should a document end the daemon, it is not found: %s", error)
            self._failed = True


def _head() -> bytes:
    return _FORM + b" " + (storage.boot_id().encode() or b"-")


def _record(text: bytes) -> bytes:
    return text.ljust(_RECORD_BYTES - 1) + b"\n"


def _run(record: bytes) -> Run | None:
    """None for an empty record, and for one that makes no sense."""
    words = record.split()
    if not record.isascii() or len(words) != 2 or not words[1].isdigit() or len(words[1]) > _DIGITS_MAX:
        return None
    return Run(words[0].decode(), int(words[1]))
