"""A user of good documents, who must not notice what other users hand in."""

from __future__ import annotations

import contextlib
import hashlib
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ndfd.client import Client
from ndfd.errors import NdfdError
from ndfd.model.conversion import ConvertOptions
from tests.stress.good_files import Good


class GoodUser:
    """Converts the good documents one after the other, round after round; every result is the first one again."""

    def __init__(self, socket: Path, documents: Sequence[Good]) -> None:
        self._socket = socket
        self._documents = documents
        self._results: dict[str, bytes] = {}
        #: Kind of time -> document -> seconds of each conversion.
        self.seconds: dict[str, dict[str, list[float]]] = {}
        self.faults: list[str] = []

    def rounds(self, kind: str, count: int) -> None:
        """So many rounds."""
        for _ in range(count):
            self._round(kind)

    @contextlib.contextmanager
    def meanwhile(self, kind: str) -> Iterator[None]:
        """Rounds until the end of the block, in a thread."""
        over = threading.Event()

        def work() -> None:
            while not over.is_set():
                self._round(kind)

        thread = threading.Thread(target=work, name="good user")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def multiples(self, kind: str) -> list[float]:
        """Of each conversion, its duration as a multiple of that document's median when quiet."""
        quiet = {name: statistics.median(times) for name, times in self.seconds["quiet"].items()}
        return [seconds / quiet[name] for name, times in self.seconds.get(kind, {}).items() for seconds in times]

    def _round(self, kind: str) -> None:
        with Client.connect(self._socket, timeout_s=60.0) as client:
            for each in self._documents:
                begun = time.perf_counter()
                try:
                    with client.convert(each.data, ConvertOptions(name=each.name)) as conversion:
                        result = hashlib.sha256(conversion.content).digest()
                except NdfdError as error:
                    self.faults.append(f"a good document, {each.name}, failed ({kind}): {error.code}: {error}")
                    return
                seconds = time.perf_counter() - begun
                self.seconds.setdefault(kind, {}).setdefault(each.name, []).append(seconds)
                if self._results.setdefault(each.name, result) != result:
                    self.faults.append(f"a good document, {each.name}, gave another result ({kind})")
