"""What a store of files asks of the operating system: durable writes, files that nobody sees before they are whole.

`LinuxStorage`, `DarwinStorage` and `WindowsStorage` derive from `Storage` and override what they do better.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

#: Read and written at once where the kernel does not copy by itself: larger ones gain nothing measurable.
_CHUNK_BYTES = 1 << 20


class Storage:
    """The portable answers."""

    def open_unnamed(self, folder: Path, mode: int = 0o600) -> int | None:
        """A new file in the file system of `folder` that has no name yet, open for reading and writing.

        None where this system or this file system has no such files. It is gone with its descriptor unless `link`
        gives it a name.
        """
        return None

    def link(self, fd: int, name: str, folder_fd: int) -> bool:
        """Gives an `open_unnamed` file its name in an open folder; False when the name is taken, whose file stays."""
        raise NotImplementedError

    def open_named(self, folder: Path) -> tuple[int, Path]:
        """A new file in `folder` under a name of its own, where there is no `open_unnamed`."""
        fd, path = tempfile.mkstemp(dir=folder)
        return fd, Path(path)

    def copy(self, source: int, target: int, size: int) -> int:
        """Copies the first `size` bytes of a file into an empty one; returns how many there were.

        Neither descriptor's position is used or kept.
        """
        done = 0
        while done < size and (data := os.pread(source, min(_CHUNK_BYTES, size - done), done)):
            write_all(target, data, done)
            done += len(data)
        return done

    def start_writeback(self, fd: int) -> None:
        """Has the kernel begin to write the file's bytes to the disk, so that a later `sync` waits less."""

    def sync(self, fd: int) -> None:
        """Returns when the file's bytes and size are on the disk, as far as the system can tell.

        After an OSError the file's bytes are lost for all that is known: the kernel may have marked what it could not
        write as written, so that a second `sync` would lie (Rebello et al., "Can Applications Recover from fsync
        Failures?", USENIX ATC 2020).
        """
        os.fsync(fd)

    def open_folder(self, folder: Path) -> int:
        """A descriptor on a folder, for `link` and `sync`."""
        return os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))

    def sync_folder(self, folder: Path) -> None:
        """Returns when the names in the folder are on the disk."""
        fd = self.open_folder(folder)
        try:
            self.sync(fd)
        finally:
            os.close(fd)

    def boot_id(self) -> str:
        """Another one each time the machine is started, which loses what was not synced; empty where nobody says."""
        return ""

    def lock(self, fd: int) -> bool:
        """Takes a lock on an open file that ends with this process; False while another process has it."""
        # Not at the top: Windows has no such module.
        import fcntl

        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in {errno.EAGAIN, errno.EACCES}:
                return False
            raise
        return True

    def free_bytes(self, folder: Path) -> int:
        """What may still be written to the file system of `folder` by this user."""
        status = os.statvfs(folder)
        return status.f_bavail * status.f_frsize

    def replace(self, path: Path, data: bytes, *, mode: int = 0o600) -> None:
        """Puts a file with these bytes at `path` in one durable step.

        Whoever looks, at whatever moment, also after a loss of power, sees the old file or the new one, whole; the new
        one once this has returned.
        """
        fd, staged = self.open_named(path.parent)
        try:
            try:
                os.fchmod(fd, mode)
                write_all(fd, data, 0)
                self.sync(fd)
            finally:
                os.close(fd)
            staged.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                staged.unlink()
            raise
        self.sync_folder(path.parent)


def write_all(fd: int, data: bytes | memoryview, offset: int) -> None:
    """pwrite(2) until all is written: a signal or a full disk may cut one write short."""
    done = os.pwrite(fd, data, offset)
    if done == len(data):
        return
    rest = memoryview(data)[done:]
    while rest:
        offset += done
        done = os.pwrite(fd, rest, offset)
        rest = rest[done:]
