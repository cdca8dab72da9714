"""Documents as descriptors that can be passed to the daemon."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ndfd.errors import DocumentTooLarge, InputError
from ndfd.platform import memfd

#: What can be converted: a path, an open descriptor, the bytes themselves, or a binary file object.
Document = Path | int | bytes | BinaryIO

#: What does not lie in a file takes memory on its way; past this it is better put into a file first.
COPIED_MAX_BYTES = 1024 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024


@contextlib.contextmanager
def document_descriptor(document: Document) -> Iterator[int]:
    """A descriptor on a regular file or memfd whose whole content is the document, for the length of the block.

    A descriptor on a regular file means the whole file, whatever its position; a pipe is read to its end. A file object
    means what a read of it would give. `InputError` names what cannot be read.
    """
    if isinstance(document, Path):
        with _opened(document) as fd:
            yield from _passable(fd, str(document))
    elif isinstance(document, int):
        yield from _passable(document, f"descriptor {document}")
    elif isinstance(document, bytes):
        yield from _copied(io.BytesIO(document), "the document")
    elif (whole := _whole_file(document)) is not None:
        yield whole
    else:
        yield from _copied(document, str(getattr(document, "name", "the document")))


def document_name(document: Document) -> str | None:
    """The name that a document brings along: that of its file."""
    return document.name if isinstance(document, Path) else None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    try:
        yield fd
    finally:
        os.close(fd)


def _passable(fd: int, name: str) -> Iterator[int]:
    try:
        mode = os.fstat(fd).st_mode
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from error
    if stat.S_ISREG(mode):
        yield fd
    elif stat.S_ISDIR(mode):
        raise InputError(f"{name}: is a directory", hint="name a file")
    else:
        yield from _copied(open(fd, "rb", closefd=False), name)  # noqa: SIM115 - closes nothing: the fd is not ours


def _whole_file(file: BinaryIO) -> int | None:
    """The descriptor of a file object that stands at the start of a regular file; None for any other."""
    try:
        fd = file.fileno()
        return fd if stat.S_ISREG(os.fstat(fd).st_mode) and file.tell() == 0 else None
    except (OSError, AttributeError):
        return None


def _copied(source: BinaryIO, name: str) -> Iterator[int]:
    fd = memfd("ndfd-document")
    try:
        with open(fd, "wb", closefd=False) as target:
            size = 0
            while chunk := _read(source, name):
                size += len(chunk)
                if size > COPIED_MAX_BYTES:
                    raise DocumentTooLarge(
                        f"{name} is longer than {COPIED_MAX_BYTES} bytes",
                        hint="put it into a file and name the file",
                    )
                target.write(chunk)
        yield fd
    finally:
        os.close(fd)


def _read(source: BinaryIO, name: str) -> bytes:
    try:
        return source.read(_CHUNK_BYTES)
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from error
