"""The files of documents and results: named by the SHA-256 of their bytes, each there once, and whole or not at all.

SHA-256, because bytes of several users are kept once: with a hash that can be collided, somebody could have another
user's job run on a document of his making. Processors compute it at 1.5 GB/s and more (SHA extensions).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ndfd.errors import DocumentChanged, InputError, StoreDamaged, UsageError
from ndfd.platform import memfd, seal, storage
from ndfd.platform.base_storage import write_all
from ndfd.store.dropping import Dropping

#: Up to here a file is read at once and synced with the others of its batch; larger ones are staged beforehand.
SMALL_BYTES = 256 * 1024
_CHUNK_BYTES = 1 << 20
#: A batch of files is spread over the folders, and each folder that it touches is synced: with 256 of them that took
#: longer than the files' own syncs. File systems of today hold some 100,000 names in a folder as well as a hundred.
_FOLDERS = "0123456789abcdef"
_REST = re.compile(r"[0-9a-f]{63}")
#: Begins the name that a file has for the moment before it gets its own.
_BESIDE = "."
#: What may have come to a name since is never followed nor waited for.
_PLAIN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(slots=True)
class Staged:
    """A file that has its bytes and no name in the spool yet."""

    fd: int
    #: Where the file system has no files without a name.
    path: Path | None
    hash: bytes
    size: int

    def discard(self) -> None:
        """Closes it; without a name it is gone then."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()


class Spool:
    """A folder of content-addressed files. Whoever links and unlinks in it does so from one thread."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder and what is in it, where it is not there; OSError when it cannot."""
        self.folder = folder
        self._incoming = folder / "incoming"
        #: Of what a damaged database may have named; whoever looks after the machine removes it.
        self.lost = folder / "lost"
        for path in (folder, self._incoming, *(folder / digit for digit in _FOLDERS)):
            path.mkdir(mode=0o700, exist_ok=True)
        # Also where they were there: the life that made them may have ended before this.
        storage.sync_folder(folder)
        storage.sync_folder(folder.parent)
        self._dropping = Dropping()
        self._unnamed = self._has_unnamed()

    def _has_unnamed(self) -> bool:
        fd = storage.open_unnamed(self._incoming)
        if fd is None:
            return False
        probe = self._incoming / "probe"
        with contextlib.suppress(FileNotFoundError):
            probe.unlink()
        folder_fd = storage.open_folder(self._incoming)
        try:
            linked = storage.link(fd, probe.name, folder_fd)
            probe.unlink()
        except OSError:
            # Without /proc a file cannot be given its name.
            return False
        finally:
            os.close(folder_fd)
            os.close(fd)
        return linked

    def path(self, digest: bytes) -> Path:
        """Of the file with this hash."""
        return self.folder / place(digest)

    def stage(self, source: int) -> Staged:
        """Copies a file into one without a name. `DocumentChanged` when it was written to meanwhile."""
        before = os.fstat(source)
        if not stat.S_ISREG(before.st_mode):
            raise UsageError("what was handed in is no regular file")
        fd, path = self._new()
        staged = Staged(fd, path, b"", before.st_size)
        try:
            if before.st_size <= SMALL_BYTES:
                data = _read(source, before.st_size + 1)
                write_all(fd, data, 0)
                size = len(data)
                staged.hash = hashlib.sha256(data).digest()
            else:
                size = storage.copy(source, fd, before.st_size)
                # Of the copy: the source may be written to while it is read.
                staged.hash = hash_of(fd)
            after = os.fstat(source)
            _refuse_if_changed(before, after, size)
            storage.start_writeback(fd)
        except BaseException:
            staged.discard()
            raise
        return staged

    def _new(self) -> tuple[int, Path | None]:
        if self._unnamed and (fd := storage.open_unnamed(self._incoming)) is not None:
            return fd, None
        return storage.open_named(self._incoming)

    def link(self, staged: Staged, folder_fd: int) -> None:
        """Gives it its name, in its open folder.

        What has the name already is replaced: whether it still is what it was could only be told by reading it, which
        would also tell by its time that it is there. This one's bytes are on the disk. The steps are the same where
        nothing has the name, and the replaced file's blocks are given back later: so nobody learns what was there.
        """
        path = self.path(staged.hash)
        beside = _BESIDE + path.name
        if not self._link(staged, beside, folder_fd):
            # An earlier attempt of this life, which failed.
            os.unlink(beside, dir_fd=folder_fd)
            self._link(staged, beside, folder_fd)
        with self._outliving(path.name, folder_fd):
            os.replace(beside, path.name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)

    def _link(self, staged: Staged, name: str, folder_fd: int) -> bool:
        if staged.path is None:
            return storage.link(staged.fd, name, folder_fd)
        try:
            os.link(staged.path, name, dst_dir_fd=folder_fd)
        except FileExistsError:
            return False
        return True

    @contextlib.contextmanager
    def _outliving(self, name: str, folder_fd: int | None = None) -> Iterator[None]:
        """What has the name, if anything, keeps its blocks until the block is done, and for some time after it."""
        try:
            former = os.open(name, _PLAIN, dir_fd=folder_fd)
        except OSError:
            former = None  # It is not there, or no file.
        try:
            yield
        finally:
            if former is not None:
                self._dropping.drop(former)

    def open(self, digest: bytes) -> int:
        """A descriptor for reading on the file with this hash, checked; `StoreDamaged` when it is not what it was."""
        path = self.path(digest)
        try:
            fd = os.open(path, _PLAIN)
        except FileNotFoundError:
            raise StoreDamaged(f"{path} is missing") from None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise StoreDamaged(f"{path} is a link, where a file was written") from None
            raise
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise StoreDamaged(f"{path} is no file any more")  # noqa: TRY301 - the descriptor is closed in one place
            _refuse_if_damaged(fd, digest, path)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def is_sound(self, digest: bytes) -> bool:
        """Whether the file is there and is what it was written as."""
        try:
            os.close(self.open(digest))
        except StoreDamaged:
            return False
        return True

    def sealed_copy(self, digest: bytes) -> int:
        """The bytes of a file in sealed memory; `StoreDamaged`.

        Never the file itself is handed out: its times and its number of links would tell of others.
        """
        source = self.open(digest)
        try:
            fd = memfd("ndfd-result")
            try:
                storage.copy(source, fd, os.fstat(source).st_size)
                _refuse_if_damaged(fd, digest, self.path(digest))
                seal(fd)
            except BaseException:
                os.close(fd)
                raise
        finally:
            os.close(source)
        return fd

    def unlink(self, digest: bytes) -> None:
        """Removes the file; one that is gone already is let be."""
        path = self.path(digest)
        with contextlib.suppress(FileNotFoundError), self._outliving(str(path)):
            path.unlink()

    def touch(self, digest: bytes) -> None:
        """Does to the folder of the file what `unlink` does, and leaves the file: who forgets a job shall not be able
        to tell by the time whether its document is somebody else's, too."""
        path = self.path(digest)
        beside = path.with_name(_BESIDE + path.name)
        with contextlib.suppress(OSError):
            beside.hardlink_to(path)
            beside.unlink()

    def close(self) -> None:
        """Returns when the blocks of all files that were removed are given back."""
        self._dropping.stop()

    def linked_at(self, digest: bytes) -> float:
        """When the file got its name, by the machine's clock, in seconds since 1970; it cannot have been later."""
        return self.path(digest).stat().st_ctime

    def put_aside(self, digest: bytes) -> None:
        """Takes the file out of the spool, and keeps it in `lost`."""
        self.lost.mkdir(mode=0o700, exist_ok=True)
        self.path(digest).rename(self.lost / digest.hex())

    def hashes(self) -> Iterator[bytes]:
        """Of the files that are there, in no order. Files of other names are passed over."""
        for digit in _FOLDERS:
            with os.scandir(self.folder / digit) as entries:
                yield from (bytes.fromhex(digit + entry.name) for entry in entries if _REST.fullmatch(entry.name))

    def empty_beside(self) -> None:
        """Removes the names under which an earlier life was about to put files in their places."""
        for digit in _FOLDERS:
            with os.scandir(self.folder / digit) as entries:
                left = [Path(entry.path) for entry in entries if entry.name.startswith(_BESIDE)]
            for path in left:
                path.unlink()

    def empty_incoming(self) -> None:
        """Removes what an earlier life had under way."""
        for path in self._incoming.iterdir():
            path.unlink()


def _read(source: int, size: int) -> bytes:
    try:
        return os.pread(source, size, 0)
    except OSError as error:
        raise InputError(f"the document cannot be read: {error.strerror}") from error


def _refuse_if_changed(before: os.stat_result, after: os.stat_result, size: int) -> None:
    if (size, after.st_size, after.st_mtime_ns) != (before.st_size, before.st_size, before.st_mtime_ns):
        raise DocumentChanged("the document was changed while it was taken in")


def _refuse_if_damaged(fd: int, digest: bytes, path: Path) -> None:
    if hash_of(fd) != digest:
        raise StoreDamaged(f"{path} has other bytes than it was written with")


def place(digest: bytes) -> str:
    """Path of the file with this hash, in the folder of a spool."""
    name = digest.hex()
    return f"{name[0]}/{name[1:]}"


def hash_of(fd: int) -> bytes:
    """SHA-256 of a file's bytes; the descriptor's position is neither used nor moved."""
    digest = hashlib.sha256()
    offset = 0
    while data := os.pread(fd, _CHUNK_BYTES, offset):
        digest.update(data)
        offset += len(data)
    return digest.digest()
