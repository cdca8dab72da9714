"""What the arguments of `ndfd convert` stand for: files, the documents in folders, and stdin."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ndfd.errors import InputError, NdfdError, NoDocuments

STDIN = "-"

#: Folders are searched for these; a file that is named itself may be called anything.
_SUFFIXES = frozenset({".pdf"})


@dataclass(frozen=True, slots=True)
class Input:
    """One document to convert."""

    #: None for stdin.
    path: Path | None
    #: As the user would name it: the argument, or the argument's folder with what lies below it; always good Unicode.
    shown: str
    #: Where it stands below an output folder: its name, or its path below the folder that was named.
    relative: Path


@dataclass(frozen=True, slots=True)
class BadInput:
    """An argument, or a folder below one, that gives no document."""

    shown: str
    error: NdfdError


def find_inputs(arguments: Sequence[str]) -> list[Input | BadInput]:
    """The documents in the order of the arguments, those of a folder sorted by path.

    Folders are searched to any depth; symbolic links to folders are not followed, so that a loop ends.
    """
    return [found for argument in arguments for found in _find(argument)]


def _find(argument: str) -> Iterator[Input | BadInput]:
    if argument == STDIN:
        yield Input(None, "stdin", Path("stdin"))
        return
    path = Path(argument)
    try:
        is_folder = path.is_dir()
    except OSError as error:
        yield BadInput(printable(argument), InputError(f"{printable(argument)}: {error.strerror}"))
        return
    if not is_folder:
        yield Input(path, printable(argument), Path(path.name))
        return
    found = list(_search(path))
    if not found:
        yield BadInput(printable(argument), NoDocuments(f"{printable(argument)}: holds no document"))
    yield from found


def _search(folder: Path) -> Iterator[Input | BadInput]:
    unreadable: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=unreadable.append):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if path.suffix.lower() in _SUFFIXES:
                yield Input(path, printable(str(path)), path.relative_to(folder))
    for error in unreadable:
        shown = printable(str(error.filename))
        yield BadInput(shown, InputError(f"{shown}: {error.strerror}"))


def printable(name: str) -> str:
    """A file name as text: bytes of it that are not UTF-8 (which Python carries as lone surrogates) become U+FFFD."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
