"""What is kept of workers that documents ended: the last reports, in a file of the daemon's folder.

It outlives the daemon, so that after a crash of the whole, or a restart, what went before can still be read.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from pathlib import Path

import msgspec

from ndfd.model.crash import CrashReport

_log = logging.getLogger(__name__)

CRASHES_FILE = "crashes.jsonl"
#: Reports kept: a day of a service with bad documents, some 50 kB.
KEPT = 100
#: Lines after which the file is written anew with those that are kept.
_LINES_MAX = 2 * KEPT


class CrashReports:
    """Newest last. A file that cannot be read or written costs the memory of the past, never the daemon."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / CRASHES_FILE
        self._kept: deque[CrashReport] = deque(_read(self._path), KEPT)
        # Counted from full, so that what an earlier daemon left is trimmed with the first report.
        self._lines = _LINES_MAX

    def keep(self, report: CrashReport) -> None:
        """One more. The folder is in memory (/run) or its write in the page cache: microseconds."""
        self._kept.append(report)
        try:
            if self._lines < _LINES_MAX:
                _append(self._path, report)
                self._lines += 1
            else:
                _write(self._path, self._kept)
                self._lines = len(self._kept)
        except OSError as error:
            _log.warning("%s: a crash report is not kept: %s", self._path, error.strerror)

    def all(self) -> tuple[CrashReport, ...]:
        """Those that are kept."""
        return tuple(self._kept)


def _read(path: Path) -> list[CrashReport]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return []
    reports = []
    for line in lines:
        try:
            reports.append(msgspec.json.decode(line, type=CrashReport))
        except msgspec.MsgspecError:
            continue  # Cut off by the end of a daemon, or of another version.
    return reports


def _append(path: Path, report: CrashReport) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(fd, msgspec.json.encode(report) + b"\n")
    finally:
        os.close(fd)


def _write(path: Path, reports: deque[CrashReport]) -> None:
    staged = path.with_suffix(".new")
    staged.unlink(missing_ok=True)
    for report in reports:
        _append(staged, report)
    staged.replace(path)
