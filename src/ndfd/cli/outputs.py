"""Where results go: one after the other to stdout, or each into a file of its own below a folder."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from ndfd.cli.inputs import Input
from ndfd.client import Conversion
from ndfd.errors import OutputError
from ndfd.model.conversion import OutputFormat

#: Tells the temporary files of one process apart; its threads write side by side.
_serial = itertools.count()


def output_names(inputs: Iterable[Input], suffix: str) -> dict[Input, Path]:
    """The path of each input's output below the output folder, as `free_name` gives it."""
    taken: set[str] = set()
    return {each: free_name(each.relative, suffix, taken) for each in inputs}


def free_name(whole: Path, suffix: str, taken: set[str]) -> Path:
    """The path of an output; it is taken from then on.

    `sub/a.pdf` becomes `sub/a.md`. Where that is taken, the later input keeps its whole name (`sub/a.PDF.md`), and then
    gets a number (`sub/a.PDF-2.md`). Names that differ only in case count as one: on some file systems they are.
    """
    choices = [whole.with_name(whole.stem + suffix), whole.with_name(whole.name + suffix)]
    number = 1
    while (chosen := choices.pop(0)).as_posix().casefold() in taken:
        if not choices:
            number += 1
            choices.append(whole.with_name(f"{whole.name}-{number}{suffix}"))
    taken.add(chosen.as_posix().casefold())
    return chosen


class FolderOutput:
    """Each result as a file below a folder; existing files are replaced."""

    def __init__(self, folder: Path, names: dict[Input, Path]) -> None:
        """`OutputError` when the folder cannot be made."""
        self._folder = folder
        self._names = names
        make_folder(folder)

    def path(self, document: Input) -> Path:
        """Where the result of a document goes."""
        return self._folder / self._names[document]

    def write(self, document: Input, conversion: Conversion) -> None:
        """Writes one result; `OutputError` when it cannot, and nothing is left behind then."""
        path = self.path(document)
        make_folder(path.parent)
        replace_file(path, conversion)


class StreamOutput:
    """Results one after the other to a descriptor; with several, what follows says which document it is from.

    JSON needs no such line: each document is one line, and holds its name.
    """

    def __init__(self, fd: int, output: OutputFormat, several: bool) -> None:
        self._fd = fd
        self._format = output
        self._several = several

    def write(self, document: Input, conversion: Conversion) -> None:
        """Writes one result. BrokenPipeError when nobody reads on."""
        if not self._several:
            conversion.write_to(self._fd)
        elif self._format is OutputFormat.JSON:
            self._put(msgspec.json.format(bytes(conversion.content), indent=-1) + b"\n")
        else:
            self._put(self._heading(document.shown).encode())
            conversion.write_to(self._fd)
            if bytes(conversion.content[-1:]) != b"\n":
                self._put(b"\n")

    def _heading(self, name: str) -> str:
        if self._format is OutputFormat.TEXT:
            return f"==> {name} <==\n"
        # A comment ends at its first "-->", and may not hold "--" in XML.
        return f"<!-- file: {name.replace('--', '- -')} -->\n"

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"the result cannot be written: {error.strerror}") from error


def replace_file(path: Path, conversion: Conversion) -> None:
    """Puts a result at `path` whole or not at all: a reader sees the old file or the new one, also after a power cut.

    `OutputError` when it cannot; no temporary file is left then, nor when the program is interrupted.
    """
    temporary = path.with_name(f".ndfd-{os.getpid()}-{next(_serial)}.part")
    try:
        with temporary.open("xb") as file:
            conversion.write_to(file.fileno())
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error
    except OutputError as error:
        raise OutputError(f"{path}: {error}", hint=error.hint) from error
    finally:
        with suppress(OSError):  # Gone when all went well.
            temporary.unlink()


def sync_folders(paths: Iterable[Path]) -> None:
    """Makes the names of files just written last: rename(2) is in the folder, and only fsync of the folder keeps it."""
    for folder in sorted({path.parent for path in paths}):
        with suppress(OSError):  # Some network file systems refuse it.
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def make_folder(folder: Path) -> None:
    """The folder, and those above it; `OutputError` when it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror}") from error
