"""What was there before: a file of JSON lines, of which each is on the disk before the value it tells of is written.

A change is open from its first line on until it is put back, or its machine is started anew: the kernel forgets then.
What is read there is what a value is or was, never what shall be done: any value is looked at before it is put back, so
it does not matter how far a process came that ended in the middle.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from ndfd import __version__
from ndfd.errors import Busy, NotPermitted, TuningError
from ndfd.platform import storage
from ndfd.platform.base_storage import write_all
from ndfd.tuning.steps import Step, nothing

_SIZE_MAX_BYTES = 64 * 1024**2


class Begun(msgspec.Struct, frozen=True, tag="begun", tag_field="line", forbid_unknown_fields=True):
    """A value is about to be written."""

    knob: str
    path: str
    old: str
    new: str
    #: The kernel's name for the time since it was started (/proc/sys/kernel/random/boot_id).
    boot: str
    #: Who writes it.
    uid: int
    pid: int
    version: str
    #: Seconds since 1970.
    at: float


class Seen(msgspec.Struct, frozen=True, tag="seen", tag_field="line", forbid_unknown_fields=True):
    """What was there after the writing was another value."""

    path: str
    value: str
    at: float


class Ended(msgspec.Struct, frozen=True, tag="ended", tag_field="line", forbid_unknown_fields=True):
    """The value is no longer ours to put back."""

    path: str
    at: float


_LINE = msgspec.json.Decoder(Begun | Seen | Ended)


@dataclass(frozen=True, slots=True)
class Change:
    """A value that is, or may be, another one because of us."""

    knob: str
    path: str
    #: What was there before all.
    original: str
    #: What may be there because of us.
    ours: frozenset[str]
    boot: str
    #: Seconds since 1970, when it began, and whose process it was.
    at: float
    uid: int


class Journal:
    """The open changes of this start of the machine, kept for the length of a `with` block by one process alone.

    When a line cannot be written for sure, neither can any after it.
    """

    def __init__(
        self, path: Path, boot: str, clock: Callable[[], float], reached: Callable[[Step], None] = nothing
    ) -> None:
        self._path = path
        self._boot = boot
        self._clock = clock
        self._reached = reached
        self._fd = -1
        self._broken: OSError | None = None
        self._changes: dict[str, Change] = {}

    def __enter__(self) -> Self:
        """`NotPermitted` or `TuningError` when it cannot be used, `Busy` while another process has it."""
        try:
            self._fd = _open_for_writing(self._path)
        except OSError as error:
            raise _unusable(self._path, error) from error
        try:
            self._begin()
        except BaseException:
            os.close(self._fd)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._fd)

    @property
    def changes(self) -> Mapping[str, Change]:
        """By path, in the order in which they began."""
        return self._changes

    def begin(self, knob: str, path: str, old: str, new: str) -> None:
        """Returns when the line is on the disk. OSError: it is not, and nothing may be written."""
        uid, pid = os.geteuid(), os.getpid()
        self._append(Begun(knob, path, old, new, self._boot, uid, pid, __version__, self._clock()))

    def seen(self, path: str, value: str) -> None:
        """As `begin`."""
        self._append(Seen(path, value, self._clock()))

    def end(self, path: str) -> None:
        """As `begin`."""
        self._append(Ended(path, self._clock()))

    def _begin(self) -> None:
        if not storage.lock(self._fd):
            raise Busy("another `ndfd tune` is at work", hint="try again when it is done")
        try:
            # It may have been made, and become another's, while this process waited for nothing but its own turn.
            data = _content(self._fd, self._path)
            self._changes = replay(data, self._boot, self._path)
            whole = data.rfind(b"\n") + 1
            # What was torn by a crash was never acted on. With nothing open the rest is of no use any more either.
            if (kept := whole if self._changes else 0) != len(data):
                os.ftruncate(self._fd, kept)
                storage.sync(self._fd)
            self._end = kept
        except OSError as error:
            raise _unusable(self._path, error) from error

    def _append(self, line: Begun | Seen | Ended) -> None:
        if self._broken is not None:
            raise self._broken
        data = msgspec.json.encode(line) + b"\n"
        try:
            write_all(self._fd, data, self._end)
            self._reached(Step.LINE_WRITTEN)
            storage.sync(self._fd)
        except OSError as error:
            self._broken = error
            raise
        self._end += len(data)
        _take(self._changes, line)


def read_changes(path: Path, boot: str) -> Mapping[str, Change]:
    """The open changes, by path, as a process that only looks sees them; `NotPermitted` or `TuningError`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        return replay(_content(fd, path), boot, path)
    except OSError as error:
        raise _unusable(path, error) from error
    finally:
        os.close(fd)


def replay(data: bytes, boot: str, path: Path) -> dict[str, Change]:
    """The changes that lines leave open at this start of the machine; `TuningError` for what no `Journal` wrote.

    What follows the last end of a line was torn by a crash, before the value it tells of was written.
    """
    changes: dict[str, Change] = {}
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            _take(changes, _LINE.decode(line))
        except (msgspec.DecodeError, KeyError, UnicodeDecodeError):
            raise TuningError(
                f"{path}:{number} is no line of a journal of tuned values; nothing was changed",
                hint=f"mend the line, or put the values back by hand (each is there as `old`) and remove {path}",
            ) from None
    return {place: change for place, change in changes.items() if change.boot == boot}


def _take(changes: dict[str, Change], line: Begun | Seen | Ended) -> None:
    """KeyError for a line about a value that no change is open of."""
    if isinstance(line, Ended):
        del changes[line.path]
    elif isinstance(line, Seen):
        change = changes[line.path]
        changes[line.path] = replace(change, ours=change.ours | {line.value})
    elif (open_one := changes.get(line.path)) is not None and open_one.boot == line.boot:
        changes[line.path] = replace(open_one, ours=open_one.ours | {line.new})
    else:
        # One of a former start of the machine is over.
        changes.pop(line.path, None)
        changes[line.path] = Change(line.knob, line.path, line.old, frozenset({line.new}), line.boot, line.at, line.uid)


def _open_for_writing(path: Path) -> int:
    """Everyone may read it: what the kernel's values are is no secret."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        pass
    fd = os.open(path, flags | os.O_CREAT, 0o644)
    try:
        storage.sync_folder(path.parent)
        # The folder itself may be new.
        storage.sync_folder(path.parent.parent)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _content(fd: int, path: Path) -> bytes:
    """`TuningError` for a file that somebody else could have written: root would write to the kernel what it says."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise TuningError(f"{path} is no file", hint="move it away, or name another with [tuning] journal")
    for place, its in ((path, status), (path.parent, path.parent.stat())):
        if its.st_uid not in (0, os.geteuid()) or its.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise TuningError(
                f"others may write to {place}: what the journal says cannot be trusted",
                hint=f"look at it; when it is sound: chown root {place} && chmod go-w {place}",
            )
    if status.st_size > _SIZE_MAX_BYTES:
        raise TuningError(f"{path} is too large for a journal", hint="move it away, or name another")
    data = b""
    while len(data) < status.st_size and (piece := os.pread(fd, status.st_size - len(data), len(data))):
        data += piece
    return data


def _unusable(path: Path, error: OSError) -> NotPermitted | TuningError:
    message = f"the journal {path} cannot be used: {error.strerror}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return NotPermitted(f"{message}; nothing was changed", hint="run it as root")
    return TuningError(f"{message}; nothing was changed")
