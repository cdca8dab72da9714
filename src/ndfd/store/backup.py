"""Writes a backup while the store works: the database of one moment, and the files that its rows name.

Nothing is held up meanwhile: the copy of the database is a reader like any other, and the caller keeps the files of
jobs that are forgotten until the backup is there. Bytes are read once and hashed on their way. A file of the spool that
is damaged does not end the backup, which is then most wanted: the manifest names it, and its job is made anew or fails
by itself when a restored store comes to it.
"""

from __future__ import annotations

import hashlib
import os
import select
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ndfd import __version__, platform
from ndfd.errors import BackupError, StoreDamaged
from ndfd.model.jobs import BackupReport
from ndfd.store.archive import CHUNK, ArchiveWriter
from ndfd.store.manifest import DAMAGED_MAX, DATABASE, FORMAT, HEAD, MANIFEST, SUMS, Head, Manifest, Sums, spool_name
from ndfd.store.snapshot import Snapshot, snapshot
from ndfd.store.spool import Spool

#: A reader of a pipe that takes nothing for so long holds up the removal of files for nothing.
STALL_S = 300.0
#: What poll(2) finds writable takes so much without waiting: PIPE_BUF of POSIX's smallest common page.
_PIPE_BYTES = 4096
#: How long a stop may go unseen while nobody reads.
_GLANCE_S = 0.25


class Stopped(Exception):
    """The backup was not wanted any more."""


def write_backup(
    database: Path, spool: Spool, fd: int, *, keep_free_bytes: int, stopped: Callable[[], bool]
) -> BackupReport:
    """Writes a backup to the descriptor, which stays open; blocks.

    Files that the database names now must not be unlinked before it returns. A file is fsynced, a pipe must be read.
    `Stopped` soon after `stopped` says so; `BackupError` when it cannot be written; `StoreDamaged` when the database
    is; `StorageFull` when its copy would leave less than `keep_free_bytes` to the jobs; OSError and sqlite3.Error of
    the state folder as they come.
    """

    def check() -> None:
        if stopped():
            raise Stopped

    sink = _Sink(fd, check)
    with snapshot(database, keep_free_bytes, check) as copy:
        report = _Backup(copy, spool, ArchiveWriter(sink.write, time.time())).write()
    sink.sync()
    return report


class _Backup:
    """One backup on its way."""

    def __init__(self, copy: Snapshot, spool: Spool, archive: ArchiveWriter) -> None:
        self._copy = copy
        self._spool = spool
        self._archive = archive
        self._sums = Sums()
        self._lines: list[bytes] = []
        self._damaged: list[bytes] = []
        self._missing: list[bytes] = []
        self._size = 0

    def write(self) -> BackupReport:
        """All of it, in the order in which `manifest` names the parts."""
        made_at = float(self._archive.mtime)
        head = Head(FORMAT, __version__, made_at)
        self._lines.append(self._small(HEAD, msgspec.json.encode(head)))
        size = os.fstat(self._copy.fd).st_size
        self._archive.begin(DATABASE, size)
        self._lines.append(self._sums.add(DATABASE, self._stream(self._copy.fd, size, os.pread).hex()))
        for digest, size in self._blobs():
            self._file(digest, size)
        jobs, documents, results = self._copy.connection.execute(
            "SELECT count(*), count(DISTINCT document), count(DISTINCT result) FROM jobs"
        ).fetchone()
        damaged = len(self._damaged) + len(self._missing)
        report = BackupReport(jobs, documents, results, self._size, made_at, __version__, damaged)
        manifest = Manifest(report, _hex(self._damaged), _hex(self._missing))
        last = self._small(MANIFEST, msgspec.json.encode(manifest))
        self._list(last)
        self._archive.close()
        return report

    def _blobs(self) -> Iterator[tuple[bytes, int]]:
        rows = self._copy.connection.execute("SELECT hash, size_bytes FROM blobs ORDER BY hash")
        yield from rows

    def _file(self, digest: bytes, size: int) -> None:
        """A file of the spool."""
        name = spool_name(digest)
        try:
            fd = os.open(self._spool.path(digest), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            # It is not there, or not to be had: EIO of a folder's block, ELOOP of what somebody put in its place.
            self._note(self._missing, digest)
            return
        try:
            self._archive.begin(name, size)
            whole = self._stream(fd, size, _readable) == digest
            platform.drop_from_cache(fd)
        finally:
            os.close(fd)
        if whole:
            self._sums.add(name, digest.hex())
        else:
            self._note(self._damaged, digest)

    def _stream(self, fd: int, size: int, read: Callable[[int, int, int], bytes]) -> bytes:
        """So many bytes of a file, zeros for those that it lacks; returns the SHA-256 of what was put."""
        done = 0
        sha256 = hashlib.sha256()
        while done < size:
            count = min(CHUNK, size - done)
            data = read(fd, count, done) or bytes(count)
            sha256.update(data)
            self._archive.put(data)
            done += len(data)
        self._archive.end()
        self._size += size
        return sha256.digest()

    def _small(self, name: str, content: bytes) -> bytes:
        """A file of our own; returns its line of the list."""
        self._archive.add(name, content)
        return self._sums.add(name, hashlib.sha256(content).hexdigest())

    def _note(self, kind: list[bytes], digest: bytes) -> None:
        kind.append(digest)
        if len(self._damaged) + len(self._missing) > DAMAGED_MAX:
            raise StoreDamaged(
                f"{self._spool.folder}: more than {DAMAGED_MAX} files are damaged or missing",
                hint="look at the disk (smartctl, dmesg); what is left can be copied while the daemon is stopped",
            )

    def _list(self, last: bytes) -> None:
        """The list of checksums: the lines of the spool are made anew, not kept."""
        self._archive.begin(SUMS, self._sums.size)
        left_out = {*self._damaged, *self._missing}
        for line in self._lines:
            self._archive.put(line)
        again = Sums()
        pending = bytearray()
        for digest, _size in self._blobs():
            if digest not in left_out:
                pending += again.add(spool_name(digest), digest.hex())
            if len(pending) > CHUNK:
                self._archive.put(bytes(pending))
                pending.clear()
        self._archive.put(bytes(pending) + last)
        self._archive.end()


class _Sink:
    """The descriptor that a backup goes to: a file, or a pipe whose reader may be slow or gone."""

    def __init__(self, fd: int, check: Callable[[], None]) -> None:
        """`BackupError` for what cannot hold one."""
        self._fd = fd
        self._check = check
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            raise BackupError("a backup cannot be written to a folder", hint="hand over a file or a pipe")
        self._is_file = stat.S_ISREG(mode)
        self._poll: select.poll | None = None
        if not self._is_file:
            self._poll = select.poll()
            self._poll.register(fd, select.POLLOUT)

    def write(self, data: bytes | memoryview) -> None:
        """All of it."""
        rest = memoryview(data)
        try:
            while rest:
                self._check()
                if self._poll is not None:
                    self._await_reader(self._poll)
                # Not the reader's blocking mode is changed for that: it is shared with whoever handed the pipe over.
                rest = rest[os.write(self._fd, rest if self._is_file else rest[:_PIPE_BYTES]) :]
        except OSError as error:
            raise BackupError(f"the backup cannot be written: {error.strerror}", hint=_hint(error)) from error

    def sync(self) -> None:
        """A file is on the disk when this returns."""
        if not self._is_file:
            return
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise BackupError(f"the backup cannot be written: {error.strerror}", hint=_hint(error)) from error

    def _await_reader(self, poll: select.poll) -> None:
        until = time.monotonic() + STALL_S
        while not poll.poll(_GLANCE_S * 1000):
            self._check()
            if time.monotonic() > until:
                raise BackupError(f"nobody has read the backup for {STALL_S:.0f} s", hint="make it anew, to a file")


def _readable(fd: int, count: int, position: int) -> bytes:
    """As os.pread, and nothing of what the disk does not give."""
    try:
        return os.pread(fd, count, position)
    except OSError:
        return b""


def _hint(error: OSError) -> str:
    if isinstance(error, BrokenPipeError):
        return "whoever reads it ended too early: see what it says"
    return "give it more room, or another place, and make it anew"


def _hex(digests: list[bytes]) -> tuple[str, ...]:
    return tuple(digest.hex() for digest in digests)
