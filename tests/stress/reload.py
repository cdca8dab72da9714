"""Reloads changed configurations under load, and finds every request that saw two of them.

What a configuration says can be seen in its answers: a document larger than `[document] max_size` is refused with that
size. So each answer is held against the generation that it names: the size in force then must have decided it, at the
beginning of the request (the declared size) as at its end (the whole body has come).
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ndfd.client import Client
from ndfd.config.load import read_files
from ndfd.config.settings import Settings
from ndfd.errors import ConfigError, NdfdError
from ndfd.model.conversion import ConvertOptions, OutputFormat
from tests import documents
from tests.stress.mutations import Mutations, write

#: About 3.5 kB: between the sizes that the mutations allow.
DOCUMENT = documents.numbered_pages(9)
_LIMIT = re.compile(r"at most (\d+) are taken|more than (\d+) bytes")


@dataclass
class Seen:
    """What the clients saw; only added to, under the lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    #: Generation that an answer named -> how it was answered ("converted", or the size of the refusal) -> how often.
    answers: dict[int, Counter[str]] = field(default_factory=dict)
    #: Answers that cannot be right, whatever the configuration.
    wrong: list[str] = field(default_factory=list)
    #: Answers of other kinds: busy, metrics, status.
    others: Counter[str] = field(default_factory=Counter)

    def answer(self, generation: int, how: str) -> None:
        with self.lock:
            self.answers.setdefault(generation, Counter())[how] += 1

    def other(self, how: str) -> None:
        with self.lock:
            self.others[how] += 1

    def fault(self, what: str) -> None:
        with self.lock:
            self.wrong.append(what)


class Load:
    """Clients of all kinds, each in a thread of its own, until the end of the `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.seen = Seen()
        self._over = threading.Event()
        work = (self._varlink, self._varlink_pages, self._http, self._http_slowly, self._status)
        self._threads = [threading.Thread(target=self._repeat, args=(each,), name=each.__name__) for each in work]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, work: object) -> None:
        assert callable(work)
        while not self._over.is_set():
            try:
                work()
            except Exception as error:  # noqa: BLE001 - whatever it is, the run must say so
                self.seen.fault(f"{threading.current_thread().name}: {type(error).__name__}: {error}")

    def _varlink(self) -> None:
        with Client.connect(self._folder / "ndfd.sock") as client:
            while not self._over.is_set():
                self._convert(client)

    def _varlink_pages(self) -> None:
        with Client.connect(self._folder / "ndfd.sock") as client:
            while not self._over.is_set():
                self._convert(client, pages=True)

    def _convert(self, client: Client, *, pages: bool = False) -> None:
        options = ConvertOptions(OutputFormat.TEXT, name="load")
        try:
            with client.convert(DOCUMENT, options, on_page=(lambda page: None) if pages else None) as conversion:
                self.seen.answer(conversion.generation, "converted")
        except NdfdError as error:
            if error.code == "document-too-large" and error.generation is not None:
                self.seen.answer(error.generation, _limit(error.message))
            elif error.code == "try-again":
                self.seen.other(error.code)
            else:
                self.seen.fault(f"varlink: {error.code}: {error}")

    def _http(self) -> None:
        with contextlib.closing(_connection(self._folder)) as connection:
            while not self._over.is_set():
                connection.request("POST", "/v1/convert?format=text", body=DOCUMENT)
                self._judge(connection.getresponse())

    def _http_slowly(self) -> None:
        """A body that takes longer to come than a reload: the size is judged when it has come."""
        with contextlib.closing(_connection(self._folder)) as connection:
            while not self._over.is_set():

                def pieces() -> Iterator[bytes]:
                    middle = len(DOCUMENT) // 2
                    yield DOCUMENT[:middle]
                    self._over.wait(0.05)
                    yield DOCUMENT[middle:]

                connection.request("POST", "/v1/convert?format=text", body=pieces(), encode_chunked=True)
                self._judge(connection.getresponse())

    def _judge(self, response: http.client.HTTPResponse) -> None:
        body = response.read()
        generation = int(response.headers["Ndfd-Generation"])
        if response.status == 200:
            self.seen.answer(generation, "converted")
            return
        problem = json.loads(body)
        if problem["code"] == "document-too-large":
            self.seen.answer(generation, _limit(problem["detail"]))
        elif problem["code"] == "try-again":
            self.seen.other(problem["code"])
        else:
            self.seen.fault(f"http: {problem}")

    def _status(self) -> None:
        """What is told of the configuration is all of one generation."""
        with Client.connect(self._folder / "ndfd.sock") as client:
            while not self._over.wait(0.02):
                configuration = client.configuration()
                (size,) = [each.value for each in configuration.settings if each.key == "document.max_size"]
                self.seen.answer(configuration.generation, f"told {size}")
                client.status()


def _connection(folder: Path) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("ndfd")
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(60)
    connection.sock.connect(str(folder / "http.sock"))
    return connection


def _limit(message: str) -> str:
    match = _LIMIT.search(message)
    assert match is not None, message
    return next(group for group in match.groups() if group is not None)


@dataclass
class Outcome:
    """What a run found."""

    accepted: int = 0
    refused: int = 0
    #: Seconds of each accepted and of each refused reload.
    accepted_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    answers: int = 0
    generations_seen: int = 0
    others: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.accepted + self.refused} reloads: {self.accepted} applied, {self.refused} refused"
        for what, times in (("applied", self.accepted_s), ("refused", self.refused_s)):
            if len(times) > 1:
                cuts = statistics.quantiles(times, n=100)
                middle, late, worst = cuts[49] * 1e3, cuts[98] * 1e3, max(times) * 1e3
                yield f"  {what}: median {middle:.1f} ms, p99 {late:.1f} ms, worst {worst:.1f} ms"
        yield f"{self.answers} answers from {self.generations_seen} generations; others: {dict(self.others)}"
        yield f"{len(self.faults)} faults"
        yield from (f"  {fault}" for fault in self.faults[:20])


def run(count: int, seed: int) -> Outcome:
    """Reloads `count` configurations."""
    with tempfile.TemporaryDirectory(prefix="ndfd-reload-") as name:
        folder = Path(name)
        config = folder / "etc" / "config.toml"
        config.parent.mkdir()
        mutations = Mutations(seed)
        write(config, mutations.first().encode())
        with _daemon(folder) as process, Load(folder / "run") as load:
            outcome, sizes = _reload(process, folder, config, itertools.islice(mutations, count))
        outcome.faults += load.seen.wrong
        _compare(outcome, load.seen, sizes)
        return outcome


def _reload(
    process: subprocess.Popen[bytes], folder: Path, config: Path, mutations: Iterator[bytes]
) -> tuple[Outcome, dict[int, int]]:
    outcome = Outcome()
    #: Generation -> [document] max_size.
    sizes: dict[int, int] = {}
    with Client.connect(folder / "run" / "ndfd.sock") as client:
        before = client.configuration()
        sizes[before.generation] = _settings(config).document.max_size
        for data in mutations:
            write(config, data)
            expected = read_files([config])
            begun = time.perf_counter()
            try:
                report = client.reload()
            except ConfigError:
                outcome.refused += 1
                outcome.refused_s.append(time.perf_counter() - begun)
                after = client.configuration()
                if after != before:
                    outcome.faults.append(f"a refused reload changed generation {before.generation}: {data!r}")
                # A sound file may still be refused: what fits only the machine is not judged by reading.
            else:
                outcome.accepted += 1
                outcome.accepted_s.append(time.perf_counter() - begun)
                after = client.configuration()
                if expected.settings is None:
                    outcome.faults.append(f"a configuration with mistakes was taken: {data!r}: {expected.mistakes[0]}")
                    break
                if (report.generation, after.generation) != (before.generation + 1,) * 2:
                    outcome.faults.append(f"generation {before.generation} was followed by {after.generation}")
                sizes[after.generation] = expected.settings.document.max_size
            before = after
            if process.poll() is not None:
                outcome.faults.append(f"the daemon ended with status {process.returncode} after {data!r}")
                break
    return outcome, sizes


def _compare(outcome: Outcome, seen: Seen, sizes: dict[int, int]) -> None:
    outcome.others = seen.others
    outcome.generations_seen = len(seen.answers)
    for generation, ways in seen.answers.items():
        outcome.answers += ways.total()
        size = sizes.get(generation)
        right = "converted" if size is not None and len(DOCUMENT) <= size else str(size)
        for how, count in ways.items():
            told = how.startswith("told ")
            if (told and not _same_size(how.removeprefix("told "), size)) or (not told and how != right):
                outcome.faults.append(f"generation {generation} allows {size} bytes, and {count} answers say {how}")


def _same_size(text: str, size: int | None) -> bool:
    from ndfd.config.quantities import parse_size

    return parse_size(text.strip('"')) == size


def _settings(config: Path) -> Settings:
    settings = read_files([config]).settings
    assert settings is not None
    return settings


@contextlib.contextmanager
def _daemon(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NDFD_")}
    arguments = ["--config-dir", str(folder / "etc"), "--service"]
    for place in (f"network.socket_dir={folder / 'run'}", f"storage.state_dir={folder / 'state'}"):
        arguments += ["--set", place]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ndfd", "run", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise RuntimeError((folder / "log").read_text())
            yield process
            if process.poll() is not None:
                raise RuntimeError((folder / "log").read_text()[-4000:])
        finally:
            process.terminate()
            process.wait(60)
            assert process.stdout is not None
            process.stdout.close()


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="scripts/reload-test", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="reloads (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other configurations")
    arguments = parser.parse_args()
    outcome = run(arguments.count, arguments.seed)
    print("\n".join(outcome.lines()))
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
