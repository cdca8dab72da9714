"""Puts a new state folder in the place of the one there is, while no daemon runs in it.

The new one is made beside it, in the same file system, and put in its place by rename(2). Where the state folder is
itself the root of a mounted file system, which cannot be renamed, it is made inside, and its files change places: the
database last, so that a crash in between leaves none rather than half of one.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple, Self

from ndfd.errors import OutputError, StoreError
from ndfd.platform import storage
from ndfd.store.lock import LOCK_FILE, FolderLock
from ndfd.store.manifest import DATABASE
from ndfd.store.written import Owner

#: Between the name of the state folder and what tells one attempt from another.
_BESIDE = ".restore-"
_FORMER = "before-"
#: What a file system has of its own.
_NOT_OURS = {LOCK_FILE, "lost+found"}


class Place(NamedTuple):
    """A state folder that is locked, and an empty one beside it that is to follow it."""

    folder: Path
    beside: Path
    #: Whom the new files are given to; None: they are this process's own.
    owner: Owner | None
    #: The state folder holds something.
    occupied: bool
    #: It is the root of a file system.
    mounted: bool

    @classmethod
    @contextmanager
    def take(cls, folder: Path, *, replace: bool) -> Iterator[Self]:
        """For the length of the block, at whose end nothing is left beside the state folder.

        `StoreError` while a daemon runs in it, or when it holds something and is not to be replaced; `OutputError` when
        nothing can be made beside it.
        """
        folder = folder.resolve()
        there = folder.is_dir()
        if not there and folder.exists():
            raise StoreError(f"{folder} is no folder", hint="name another with --state-dir")
        with _lock(folder) if there else nullcontext():
            occupied = there and bool(_entries(folder))
            if occupied and not replace:
                raise StoreError(
                    f"{folder} is not empty, and would be replaced",
                    hint="keep what is there and put the backup in its place with --replace, or name another folder",
                )
            mounted = there and folder.is_mount()
            beside = _made_beside(folder, mounted)
            try:
                owner = _owner(folder) if there else None
                # It stays this process's until all is in it: who owned it could lead what is written astray by links.
                # No daemon starts in the new folder either, from the moment in which it has the name of the old one.
                with _lock(beside):
                    if owner is not None:
                        os.chown(beside / LOCK_FILE, *owner)
                    yield cls(folder, beside, owner, occupied, mounted)
            finally:
                shutil.rmtree(beside, ignore_errors=True)

    def free_bytes(self) -> int:
        """Room for the new files."""
        return storage.free_bytes(self.beside)

    def exchange(self) -> Path | None:
        """Puts the new folder in the place of the old one, durably; returns where that one is, if it held anything."""
        try:
            with _uninterrupted():
                return self._inside() if self.mounted else self._whole()
        except OSError as error:
            raise OutputError(f"{self.folder}: the restored state cannot be put there: {error.strerror}") from error

    def _whole(self) -> Path | None:
        former = _free_name(self.folder.with_name(f"{self.folder.name}.{_FORMER}{_now()}"))
        there = self.folder.exists()
        if self.owner is not None:
            os.chown(self.beside, *self.owner, follow_symlinks=False)
        if there:
            self.beside.chmod(self.folder.stat().st_mode & 0o777)
            self.folder.rename(former)
        try:
            self.beside.rename(self.folder)
        except OSError:
            if there:
                former.rename(self.folder)
            raise
        storage.sync_folder(self.folder.parent)
        if self.occupied:
            return former
        if there:
            shutil.rmtree(former, ignore_errors=True)
        return None

    def _inside(self) -> Path | None:
        former = _free_name(self.folder / f"{_FORMER}{_now()}")
        if self.occupied:
            # What its log holds goes to the database, as far as that can be: they change places one after the other.
            with suppress(sqlite3.Error), closing(sqlite3.connect(self.folder / DATABASE)) as found:
                found.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            former.mkdir(mode=0o700)
            for entry in sorted(_entries(self.folder), key=lambda entry: entry.name != DATABASE):
                entry.rename(former / entry.name)
            storage.sync_folder(former)
            storage.sync_folder(self.folder)
        for entry in sorted(_entries(self.beside), key=lambda entry: entry.name == DATABASE):
            storage.sync_folder(self.folder)
            entry.rename(self.folder / entry.name)
        storage.sync_folder(self.folder)
        return former if self.occupied else None


def _made_beside(folder: Path, mounted: bool) -> Path:
    """An empty folder in the same file system; what earlier attempts left when they were killed is removed."""
    where, prefix = (folder, _BESIDE) if mounted else (folder.parent, f".{folder.name}{_BESIDE}")
    try:
        if not mounted:
            where.mkdir(parents=True, exist_ok=True)
        for left in where.glob(f"{prefix}*"):
            with suppress(StoreError), _lock(left):
                shutil.rmtree(left, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    except OSError as error:
        raise OutputError(
            f"{where}: nothing can be made there: {error.strerror}",
            hint="run this as root or as the daemon's user, or name another folder with --state-dir",
        ) from error


def _entries(folder: Path) -> list[Path]:
    """What a state folder holds, but for what means nothing."""
    return [
        entry
        for entry in folder.iterdir()
        if entry.name not in _NOT_OURS and not entry.name.startswith((_BESIDE, _FORMER))
    ]


def _owner(folder: Path) -> Owner | None:
    """Root gives the new files to whom the old ones belong."""
    status = folder.stat()
    return Owner(status.st_uid, status.st_gid) if os.geteuid() == 0 else None


def _free_name(path: Path) -> Path:
    number = 1
    found = path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def _now() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    with FolderLock(folder):
        yield


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C and a request to end wait until the block is done: between two renames there is no state folder."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
