"""Reads a backup, believes nothing of it, and puts it in the place of a state folder.

All of it is checked before anything is put in place: the form of the archive byte for byte, each file against its
checksum and its name, the database against the schema that ndfd makes, the files against what the database names. What
is written meanwhile lies beside the state folder, which is exchanged in one step at the end (`exchange`).
"""

from __future__ import annotations

import hashlib
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from ndfd.errors import BackupError, InputError, OutputError
from ndfd.model.jobs import BackupReport
from ndfd.store.archive import ArchiveReader, Member
from ndfd.store.exchange import Place
from ndfd.store.manifest import (
    DAMAGED_MAX,
    DATABASE,
    FORMAT,
    HEAD,
    HEAD_MAX_BYTES,
    MANIFEST,
    MANIFEST_MAX_BYTES,
    SPOOL,
    SUMS,
    Head,
    Manifest,
    Sums,
    spool_name,
)
from ndfd.store.schema_check import foreign, opened
from ndfd.store.spool import place
from ndfd.store.written import Unkept, Written

T = TypeVar("T")

#: Told how many bytes of how many are done; of a pipe it is not known how many there are.
Progress = Callable[[int, int | None], None]


def verify(path: Path, *, scratch: Path | None = None, progress: Progress | None = None) -> BackupReport:
    """Reads all of a backup and changes nothing; `BackupError` says what is wrong with it, `InputError` if unreadable.

    Its database is unpacked in `scratch`, or where temporary files go, until this returns.
    """
    with _source(path) as archive, _scratch(scratch) as folder, Unkept(folder) as written:
        return _Reading(archive, written, _telling(archive, path, progress)).read()


def restore(
    path: Path, folder: Path, *, replace: bool = False, progress: Progress | None = None
) -> tuple[BackupReport, Path | None]:
    """Puts a backup in the place of the state folder, durably; returns where the former one is now, if there was one.

    `StoreError` while a daemon uses the folder, or when it is not empty and not to be replaced; `BackupError` when
    the backup is not sound, `InputError` when it cannot be read, `OutputError` when the files cannot be written. Then,
    and after any other exception, the folder is as it was and nothing is left beside it.
    """
    with _source(path) as archive, Place.take(folder, replace=replace) as place:
        size = _size(path)
        if size is not None and size > place.free_bytes():
            raise OutputError(f"{place.beside}: {size} bytes are needed and {place.free_bytes()} are free")
        with Written(place.beside, place.owner) as written:
            report = _Reading(archive, written, _telling(archive, path, progress)).read()
        return report, place.exchange()


class _Reading:
    """One backup on its way in."""

    def __init__(self, archive: ArchiveReader, written: Written, told: Callable[[], None]) -> None:
        self._archive = archive
        self._written = written
        self._told = told
        self._sums = Sums()
        self._damaged: list[str] = []
        self._missing: list[str] = []
        self._size = 0

    def read(self) -> BackupReport:
        """All of it. What it holds is written when this returns, without what was damaged already when it was made."""
        head = self._head()
        database = self._next(DATABASE)
        self._sums.add(DATABASE, self._take(database, DATABASE))
        self._size += database.size
        self._written.sync()
        with self._database() as found:
            member = self._files(found)
            report = self._manifest(member, found, head)
        self._list()
        if (extra := self._archive.next()) is not None:
            raise self._archive.refusal(f"{extra.name!r} follows the list of checksums")
        return report

    def _head(self) -> Head:
        """Says whether the rest can be read at all."""
        content = self._small(self._next(HEAD), HEAD_MAX_BYTES)
        head = self._decoded(content, Head, HEAD)
        if head.format > FORMAT:
            raise BackupError(
                f"{self._archive.name}: a backup of form {head.format}, and this ndfd reads {FORMAT}",
                hint=f"restore it with the ndfd that made it ({head.version[:40]!r}) or a newer one",
            )
        return head

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """The one that was unpacked, when it is one of ours."""
        with opened(self._written.path(DATABASE)) as found:
            if fault := foreign(found):
                raise BackupError(f"{self._archive.name}: {fault}")
            try:
                yield found
            except sqlite3.Error as error:
                raise BackupError(f"{self._archive.name}: its database is damaged: {error}") from error

    def _files(self, found: sqlite3.Connection) -> Member:
        """Takes the files that the database names, which are in its order; returns the first that is none of them."""
        member = self._next(None)
        for digest, size in found.execute("SELECT hash, size_bytes FROM blobs ORDER BY hash"):
            name = spool_name(digest)
            if member.name != name:
                self._note(self._missing, digest)
                continue
            if member.size != size:
                raise self._archive.refusal(f"{name} has {member.size} bytes, and its database says {size}")
            where = f"{SPOOL}/{place(digest)}"
            if self._take(member, where) == digest.hex():
                self._sums.add(name, digest.hex())
            else:
                self._written.remove(where)
                self._note(self._damaged, digest)
            self._size += size
            member = self._next(None)
        if member.name.startswith(f"{SPOOL}/"):
            raise self._archive.refusal(
                f"{member.name!r} is none of the files that its database names, or out of order"
            )
        return member

    def _manifest(self, member: Member, found: sqlite3.Connection, head: Head) -> BackupReport:
        """What the backup says of itself, held against what was in it."""
        if member.name != MANIFEST:
            raise self._archive.refusal(f"{member.name!r} stands where {MANIFEST} belongs")
        manifest = self._decoded(self._small(member, MANIFEST_MAX_BYTES), Manifest, MANIFEST)
        for digest in self._damaged:
            if digest not in manifest.damaged:
                raise BackupError(f"{self._archive.name}: {spool_name(bytes.fromhex(digest))} is damaged")
        if (tuple(self._damaged), tuple(self._missing)) != (manifest.damaged, manifest.missing):
            raise BackupError(f"{self._archive.name}: files are missing that were there when it was made")
        jobs, documents, results = found.execute(
            "SELECT count(*), count(DISTINCT document), count(DISTINCT result) FROM jobs"
        ).fetchone()
        damaged = len(self._damaged) + len(self._missing)
        report = BackupReport(jobs, documents, results, self._size, head.made_at, head.version, damaged)
        if report != manifest.report:
            raise BackupError(f"{self._archive.name}: it does not hold what its manifest says")
        return report

    def _list(self) -> None:
        """The checksums: with them, every byte of the backup has been held against another."""
        member = self._next(SUMS)
        sha256 = hashlib.sha256()
        for chunk in self._archive.content(member):
            sha256.update(chunk)
        if (member.size, sha256.hexdigest()) != (self._sums.size, self._sums.digest()):
            raise BackupError(f"{self._archive.name}: its files are not those of its list of checksums ({SUMS})")

    def _next(self, name: str | None) -> Member:
        self._told()
        member = self._archive.next()
        if member is None:
            raise self._archive.refusal("it ends before its list of checksums")
        if name is not None and member.name != name:
            raise self._archive.refusal(f"{member.name!r} stands where {name} belongs")
        return member

    def _take(self, member: Member, where: str) -> str:
        """Writes a file, and returns its SHA-256. Where it goes is our own word, never the archive's."""
        sha256 = hashlib.sha256()
        with self._written.file(where) as put:
            for chunk in self._archive.content(member):
                sha256.update(chunk)
                put(chunk)
                self._told()
        return sha256.hexdigest()

    def _small(self, member: Member, size_max: int) -> bytes:
        content = self._archive.small(member, size_max)
        self._sums.add(member.name, hashlib.sha256(content).hexdigest())
        return content

    def _decoded(self, content: bytes, kind: type[T], name: str) -> T:
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise BackupError(f"{self._archive.name}: {name} cannot be read: {error}") from error

    def _note(self, kind: list[str], digest: bytes) -> None:
        kind.append(digest.hex())
        if len(self._damaged) + len(self._missing) > DAMAGED_MAX:
            raise BackupError(f"{self._archive.name}: more than {DAMAGED_MAX} of its files are damaged or missing")


@contextmanager
def _source(path: Path) -> Iterator[ArchiveReader]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", hint="name a file that `ndfd backup` made") from error
    with file:
        yield ArchiveReader(file, str(path))


@contextmanager
def _scratch(folder: Path | None) -> Iterator[Path]:
    try:
        made = tempfile.TemporaryDirectory(prefix=".ndfd-verify-", dir=folder)
    except OSError as error:
        where = folder or Path(tempfile.gettempdir())
        raise OutputError(f"{where}: {error.strerror}", hint="its database is unpacked there; see TMPDIR") from error
    with made as name:
        yield Path(name)


def _size(path: Path) -> int | None:
    status = path.stat()
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _telling(archive: ArchiveReader, path: Path, progress: Progress | None) -> Callable[[], None]:
    if progress is None:
        return lambda: None
    size = _size(path)
    return lambda: progress(archive.position, size)
