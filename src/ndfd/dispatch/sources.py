"""The documents in a watch folder: told apart by their marks, opened, and put away when their result is in place."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from ndfd.dispatch.file_names import OutputName
from ndfd.dispatch.lending import lent
from ndfd.dispatch.placing import folder, open_regular, put, way
from ndfd.errors import DocumentChanged, NotPermitted
from ndfd.platform import files, storage


def mark_of(status: os.stat_result) -> str:
    """Tells a file from a later one at the same path, and from what it was before it was written to."""
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def open_source(root: Path, path: str, mark: str) -> int:
    """The file, for reading, if it is the one with this mark and nobody still writes to it.

    `DocumentChanged` when it is not; `NotPermitted` when who put it there may not read it, as far as can be told;
    OSError when it cannot be opened.
    """
    at = PurePosixPath(path)
    with way(root, str(at.parent)) as (folder_fd, folders):
        fd = open_regular(at.name, folder_fd)
    try:
        status = os.fstat(fd)
        if mark_of(status) != mark or files.has_writer(fd):
            raise DocumentChanged(f"{path} is still being written")  # noqa: TRY301 - closed in one place
        _refuse_lent(folders, status)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _refuse_lent(folders: Sequence[os.stat_result], status: os.stat_result) -> None:
    if fault := lent(folders, status, os.geteuid()):
        raise NotPermitted(
            f"the file {fault}: who put it here may be somebody who cannot read it",
            hint="copy the file instead of moving or linking it, or let everybody read it",
        )


def delete(root: Path, path: str, mark: str, number: str) -> None:
    """Removes the file if it still is the one with this mark; doing it again does nothing more."""

    def put_away(fd: int, name: str) -> None:
        _drop(fd, name, mark, number)

    _if_there(root, path, mark, number, put_away)


def move(root: Path, path: str, mark: str, number: str, done: Path) -> None:
    """Moves the file below `done` if it still is the one with this mark; doing it again does nothing more.

    Where another file has its name there, `number` goes into it. Between file systems it is copied, and removed only
    when the copy is on the disk.
    """
    at = PurePosixPath(path)
    name = OutputName(at.stem, at.suffix)

    def put_away(fd: int, own: str) -> None:
        with folder(done, str(at.parent), make=True) as done_fd:
            try:
                _rename(fd, own, done_fd, name, number, mark)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                source = open_regular(own, fd)
                try:
                    put(done_fd, name, number, source)
                finally:
                    os.close(source)
                _drop(fd, own, mark, number)
            storage.sync(done_fd)

    _if_there(root, path, mark, number, put_away)


def _if_there(root: Path, path: str, mark: str, number: str, put_away: Callable[[int, str], None]) -> None:
    at = PurePosixPath(path)
    with contextlib.ExitStack() as stack:
        try:
            folder_fd = stack.enter_context(folder(root, str(at.parent)))
        except (FileNotFoundError, NotADirectoryError):
            return  # The file's folder is gone, and it with it.
        _finish_drop(folder_fd, at.name, mark, number)
        if _is(folder_fd, at.name, mark):
            put_away(folder_fd, at.name)
        storage.sync(folder_fd)


def _rename(fd: int, own: str, done_fd: int, name: OutputName, number: str, mark: str) -> None:
    try:
        files.rename_new(own, placed := name.plain(), fd, done_fd)
    except FileExistsError:
        files.rename_new(own, placed := name.numbered(number), fd, done_fd)
    if not _is(done_fd, placed, mark):
        # Another file came to the name in this very moment: it goes back, unless a third one has come.
        with contextlib.suppress(FileExistsError):
            files.rename_new(placed, own, done_fd, fd)


def _drop(fd: int, own: str, mark: str, number: str) -> None:
    """Under a name that nobody else uses, it can be looked at once more: nothing takes its place then."""
    files.rename_new(own, _hidden(number), fd, fd)
    _finish_drop(fd, own, mark, number)


def _finish_drop(fd: int, own: str, mark: str, number: str) -> None:
    hidden = _hidden(number)
    if _is(fd, hidden, mark):
        os.unlink(hidden, dir_fd=fd)
    else:
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            files.rename_new(hidden, own, fd, fd)


def _hidden(number: str) -> str:
    return f".ndfd-{number}.taken"


def _is(folder_fd: int, name: str, mark: str) -> bool:
    try:
        return mark_of(os.stat(name, dir_fd=folder_fd, follow_symlinks=False)) == mark
    except FileNotFoundError:
        return False
