"""Watch folders as values, and what lies in them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ndfd.dispatch.file_names import is_wanted
from ndfd.dispatch.placing import folder
from ndfd.dispatch.sources import mark_of
from ndfd.model.conversion import OutputFormat

#: Folders deeper than this below the watched one are left alone.
_DEPTH_MAX = 64


@dataclass(frozen=True, slots=True)
class Watch:
    """One [watch.NAME]."""

    path: Path
    pattern: str
    recursive: bool
    format: OutputFormat
    #: Where results go.
    output: Path
    #: "keep", "move" or "delete".
    on_success: str
    #: Where converted documents go, if they are moved.
    done: Path
    #: Seconds for which a file has to be as it is.
    settle_s: float
    pool: str | None = None
    priority: int = 0
    #: Names of the hooks that may be told; None: all.
    hooks: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a look into a watched folder has seen."""

    #: Mark by path below the folder, of the files that could be taken.
    marks: dict[str, str]
    #: Device and inode of every folder that was looked into, the watched one first.
    folders: tuple[tuple[int, int], ...]
    #: Messages about folders that could not be looked into.
    unreadable: tuple[str, ...]


def look(watch: Watch) -> Found:
    """Everything in the folder that may be taken; blocks. OSError when the folder itself cannot be read.

    Links are not followed, and only regular files count. Results and converted documents are not looked at.
    """
    marks: dict[str, str] = {}
    folders: list[tuple[int, int]] = []
    unreadable: list[str] = []
    own = set(_identities(watch.output, watch.done)) - set(_identities(watch.path))
    pending = [""]
    while pending:
        below = pending.pop()
        try:
            with folder(watch.path, below) as fd:
                status = os.fstat(fd)
                identity = (status.st_dev, status.st_ino)
                if identity in own or identity in folders:
                    continue  # The same folder again: it is mounted within itself.
                folders.append(identity)
                subfolders = _look_into(fd, below, watch.pattern, marks)
        except OSError as error:
            if not below:
                raise
            unreadable.append(f"{below}: {error.strerror}")
            continue
        if watch.recursive and below.count("/") < _DEPTH_MAX:
            pending += subfolders
    return Found(marks, tuple(folders), tuple(unreadable))


def _look_into(fd: int, below: str, pattern: str, marks: dict[str, str]) -> list[str]:
    subfolders = []
    with os.scandir(fd) as entries:
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith("."):
                    subfolders.append(path)
            elif is_wanted(entry.name, pattern) and not entry.is_symlink():
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    marks[path] = mark_of(status)
    return subfolders


def _identities(*paths: Path) -> Iterator[tuple[int, int]]:
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue
        yield status.st_dev, status.st_ino
