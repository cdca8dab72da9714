"""Files of a backup on their way to the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from ndfd.errors import OutputError
from ndfd.platform import storage
from ndfd.store.manifest import SPOOL

#: Files that are synced together: the disk takes several at once.
_BATCH = 64

Put = Callable[[memoryview], None]


class Owner(NamedTuple):
    """Whom files are given to."""

    uid: int
    gid: int


class Written:
    """Makes files below a folder, for the length of a `with` block: at its end all of them are on the disk.

    `OutputError`, with the path, where one cannot be written; what was written by then stays.
    """

    def __init__(self, folder: Path, owner: Owner | None) -> None:
        """`owner` None: files are this process's own."""
        self._folder = folder
        self._owner = owner
        self._folders: set[Path] = {folder}
        #: Written and not synced.
        self._open: list[tuple[int, Path]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.sync()
                for folder in sorted(self._folders, reverse=True):
                    with _said(folder):
                        storage.sync_folder(folder)
        finally:
            while self._open:
                os.close(self._open.pop()[0])

    def path(self, name: str) -> Path:
        """Where the file of this name is."""
        return self._folder / name

    @contextmanager
    def file(self, name: str) -> Iterator[Put]:
        """A new file of this name; its folders are made."""
        path = self.path(name)
        with _said(path):
            self._make(path.parent)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._open.append((fd, path))
            self._give(fd)

        def put(data: memoryview) -> None:
            with _said(path):
                while data:
                    data = data[os.write(fd, data) :]

        yield put
        with _said(path):
            storage.start_writeback(fd)
        if len(self._open) >= _BATCH:
            self.sync()

    def remove(self, name: str) -> None:
        """A file that was made is not wanted after all."""
        with suppress(FileNotFoundError):
            self.path(name).unlink()

    def sync(self) -> None:
        """Returns when every file that was made is on the disk."""
        while self._open:
            fd, path = self._open.pop()
            try:
                with _said(path):
                    storage.sync(fd)
            finally:
                os.close(fd)

    def _make(self, folder: Path) -> None:
        if folder in self._folders:
            return
        self._make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        if self._owner is not None:
            os.chown(folder, *self._owner)
        self._folders.add(folder)

    def _give(self, fd: int) -> None:
        if self._owner is not None:
            os.fchown(fd, *self._owner)


class Unkept(Written):
    """For a backup that is only looked at: files of the spool go nowhere, and nothing needs to be on the disk."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, None)

    @contextmanager
    def file(self, name: str) -> Iterator[Put]:
        """What is none of the spool's files is made."""
        if name.startswith(f"{SPOOL}/"):
            yield lambda _data: None
            return
        with super().file(name) as put:
            yield put

    def sync(self) -> None:
        """Nothing of it outlives the block."""
        while self._open:
            os.close(self._open.pop()[0])


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error
