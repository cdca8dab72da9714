"""Programs that hand documents to a daemon, several at once and each in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import msgspec

from ndfd.client import Client
from ndfd.errors import NdfdError
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.document import Document
from tests.stress.fuzzer import Fuzzer
from tests.stress.good_files import Good

_FORMATS = tuple(OutputFormat)


@dataclass(frozen=True)
class Ended:
    """How one conversion ended, as its caller saw it."""

    #: What a run calls the document by.
    label: str
    #: "ok", "partial", or the error's code.
    status: str
    seconds: float
    #: Of the error.
    message: str = ""
    page: int | None = None
    #: Pages that were told of before.
    pages_told: int = 0
    #: What is wrong with a result.
    fault: str = ""


class _Program:
    """What each process keeps."""

    def __init__(self, socket: Path, good: Sequence[Good], seed: int, deadline_s: float) -> None:
        self.socket = socket
        self.fuzzer = Fuzzer(good, seed)
        self.deadline_s = deadline_s
        self.client: Client | None = None

    def convert(self, label: str, name: str, data: bytes, form: OutputFormat) -> Ended:
        """One document; the connection is kept as long as the daemon keeps it."""
        if self.client is None or self.client.closed:
            self.client = Client.connect(self.socket, timeout_s=60.0)
        told: list[int] = []
        options = ConvertOptions(form, name=name, deadline_s=self.deadline_s)
        begun = time.perf_counter()
        try:
            with self.client.convert(data, options, on_page=lambda page: told.append(page.number)) as conversion:
                seconds = time.perf_counter() - begun
                report = conversion.report
                status = "partial" if report.pages_partial or report.pages_failed else "ok"
                fault = _fault(bytes(conversion.content), form)
                return Ended(label, status, seconds, pages_told=len(told), fault=fault)
        except NdfdError as error:
            seconds = time.perf_counter() - begun
            return Ended(label, error.code, seconds, error.message, error.page, len(told))


_program: _Program | None = None


def _begin(socket: Path, good: Sequence[Good], seed: int, deadline_s: float) -> None:
    global _program
    _program = _Program(socket, good, seed, deadline_s)


def _mutant(index: int) -> Ended:
    assert _program is not None
    mutant = _program.fuzzer.mutant(index)
    return _program.convert(str(mutant), f"mutant {index}", mutant.data, _FORMATS[index % len(_FORMATS)])


def _sound(index: int) -> Ended:
    """The good document that this mutant is made of; the mutant is made as well, since that costs, too."""
    assert _program is not None
    _program.fuzzer.mutant(index)
    good = _program.fuzzer.source(index)
    return _program.convert(good.name, good.name, good.data, _FORMATS[index % len(_FORMATS)])


def _file(path: Path) -> Ended:
    assert _program is not None
    return _program.convert(str(path), path.name, path.read_bytes(), OutputFormat.MARKDOWN)


class HostileLoad:
    """The programs, until the end of the `with` block of `hostile_load`."""

    def __init__(self, processes: ProcessPoolExecutor) -> None:
        self._processes = processes

    def mutants(self, indexes: range) -> list[Future[Ended]]:
        """Has these mutants converted."""
        return [self._processes.submit(_mutant, index) for index in indexes]

    def sound(self, indexes: range) -> list[Future[Ended]]:
        """Has the good documents converted that these mutants are made of."""
        return [self._processes.submit(_sound, index) for index in indexes]

    def files(self, paths: Sequence[Path]) -> list[Future[Ended]]:
        """Has these files converted as they are."""
        return [self._processes.submit(_file, path) for path in paths]


@contextlib.contextmanager
def hostile_load(
    socket: Path, good: Sequence[Good], *, clients: int, seed: int, deadline_s: float
) -> Iterator[HostileLoad]:
    """So many programs at once."""
    # Not forked: this process has threads.
    pool = ProcessPoolExecutor(
        clients, mp_context=get_context("spawn"), initializer=_begin, initargs=(socket, tuple(good), seed, deadline_s)
    )
    with pool:
        # So that none is still starting when times are taken.
        for each in [pool.submit(os.getpid) for _ in range(clients)]:
            each.result()
        yield HostileLoad(pool)


def _fault(content: bytes, form: OutputFormat) -> str:
    """Whatever the document was, its record is one."""
    try:
        text = content.decode()
        if form is OutputFormat.JSON:
            msgspec.json.decode(content, type=Document)
            # The standard's reader takes NaN; whoever else reads the record may not.
            json.loads(text, parse_constant=_refuse)
    except (UnicodeDecodeError, msgspec.MsgspecError, ValueError) as error:
        return f"the result is malformed: {error}"
    return ""


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")
