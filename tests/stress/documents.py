"""Converts thousands of mutations of good documents, and watches the daemon, its memory and its other users meanwhile.

Three kinds of time alternate: the user of good documents is alone (quiet); has company that converts the same sound
documents that are mutated otherwise (company); and while mutations are converted (mutations). What company alone costs
on this machine is no fault of the mutations, so the times of the third are held against those of both.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ndfd.client import Client
from ndfd.errors import DocumentError, NdfdError, WorkerCrashed, error_classes
from ndfd.model.conversion import ConvertOptions
from ndfd.model.status import WorkerState
from tests.bench.selection import samples
from tests.daemon.configured import Configured, running
from tests.stress.fuzzer import Fuzzer
from tests.stress.good_files import Good, examples, generated, of_corpus
from tests.stress.hostile_load import Ended, HostileLoad, hostile_load

#: What the supervisor may have more at the end than at the beginning.
GROWTH_MAX_BYTES = 20_000_000
#: What good documents may take, as a multiple of what they take otherwise.
SLOWER_MAX = 1.5
#: Mutations between two times of quiet.
_BLOCK = 250
#: Sound documents of company in each block: enough for as many good ones beside them.
_COMPANY = 60
#: Fewer good conversions say nothing of the slowest twentieth of them.
_ENOUGH = 200

_SIGNAL = re.compile(r"SIG[A-Z]{2,6}\b|signal \d+")


@dataclass
class Findings:
    """What a run found."""

    seed: int
    mutations: int = 0
    files: int = 0
    seconds: float = 0.0
    #: How often a conversion ended so: "ok", "partial" or an error's code.
    endings: Counter[str] = field(default_factory=Counter)
    #: Signal, or other cause -> the culprits.
    crashes: dict[str, list[str]] = field(default_factory=dict)
    #: The slowest documents: seconds, label, how they ended.
    slowest: list[tuple[float, str, str]] = field(default_factory=list)
    #: Seconds that the longest conversion took beyond its deadline.
    overshoot_s: float = 0.0
    #: Good conversions, by kind of time.
    good: dict[str, int] = field(default_factory=dict)
    #: Of those, the 95th percentile of their durations, each as a multiple of that document's median when quiet.
    good_p95: dict[str, float] = field(default_factory=dict)
    rss_before_bytes: int = 0
    rss_after_bytes: int = 0
    rss_max_bytes: int = 0
    descriptors_before: int = 0
    descriptors_after: int = 0
    workers_replaced: int = 0
    #: Lines of the daemon's log that are no records: what workers print.
    stray_lines: Counter[str] = field(default_factory=Counter)
    #: Whatever must not be.
    faults: list[str] = field(default_factory=list)

    def ratio(self, against: str) -> float | None:
        """How much longer good documents take beside mutations than at another time; None when too few were."""
        if min(self.good.get("mutations", 0), self.good.get(against, 0)) < _ENOUGH:
            return None
        return self.good_p95["mutations"] / self.good_p95[against]

    def slow(self) -> str:
        """What is too slow, beyond what company alone makes slow; "" when nothing is."""
        ratios = [ratio for ratio in map(self.ratio, ("quiet", "company")) if ratio is not None]
        if len(ratios) == 2 and min(ratios) > SLOWER_MAX:
            return f"good documents take {ratios[0]:.2f}x their quiet time and {ratios[1]:.2f}x that in sound company"
        return ""

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.mutations} mutations (seed {self.seed}) and {self.files} files in {self.seconds:.0f} s"
        yield from (f"{count:7d}  {status}" for status, count in self.endings.most_common())
        for cause, culprits in sorted(self.crashes.items()):
            yield f"{len(culprits):7d}  ended by {cause}: {'; '.join(culprits[:5])}{'; …' * (len(culprits) > 5)}"
        yield "slowest: " + "; ".join(f"{seconds:.1f} s {label} {status}" for seconds, label, status in self.slowest)
        yield f"the longest went {self.overshoot_s * 1e3:.0f} ms beyond its deadline"
        yield (
            f"supervisor: {self.rss_before_bytes / 1e6:.1f} MB before, {self.rss_after_bytes / 1e6:.1f} MB after, "
            f"{self.rss_max_bytes / 1e6:.1f} MB at most; {self.descriptors_before} and {self.descriptors_after} "
            f"descriptors; {self.workers_replaced} workers replaced"
        )
        for kind, count in self.good.items():
            yield f"good documents, {kind}: {count} conversions, p95 {self.good_p95[kind]:.2f}x the quiet median"
        for against in ("quiet", "company"):
            if (ratio := self.ratio(against)) is not None:
                yield f"p95 beside mutations is {ratio:.2f}x that of {against}"
        yield from (f"{count:7d}  times printed by workers: {line}" for line, count in self.stray_lines.most_common(5))
        yield f"{len(self.faults)} faults"
        yield from (f"  {fault}" for fault in self.faults[:40])


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
        return [
            seconds / quiet[name] for name, times in self.seconds.get(kind, {}).items() for seconds in times
        ]

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


class Judge:
    """Holds each ending against what may be."""

    #: Of an error that names the document or what became of its worker; never the root, a fault that nobody foresaw.
    _NAMED = frozenset(
        each.code for each in error_classes() if issubclass(each, DocumentError | WorkerCrashed)
    )
    #: After which a page was being worked on.
    _AT_A_PAGE = frozenset({"conversion-timeout", "conversion-out-of-memory", "document-kills-workers"})

    def __init__(self, findings: Findings, deadline_s: float) -> None:
        self._findings = findings
        self._deadline_s = deadline_s

    def take(self, ended: Ended) -> None:
        """One conversion."""
        found = self._findings
        found.endings[ended.status] += 1
        found.slowest = sorted([*found.slowest, (ended.seconds, ended.label, ended.status)], reverse=True)[:5]
        found.overshoot_s = max(found.overshoot_s, ended.seconds - self._deadline_s)
        if ended.fault:
            self._fault(ended, ended.fault)
        # Twice the deadline: a machine that is busy otherwise is late, too.
        if ended.seconds > 2 * self._deadline_s:
            self._fault(ended, f"it took {ended.seconds:.1f} s, its deadline was {self._deadline_s:g} s")
        if ended.status in ("ok", "partial"):
            return
        if ended.status not in self._NAMED or not ended.message:
            self._fault(ended, f"an error that names no cause: {ended.status}: {ended.message!r}")
        if ended.status in self._AT_A_PAGE and ended.pages_told and ended.page is None:
            self._fault(ended, f"{ended.pages_told} pages were told, and the error names none: {ended.message}")
        if ended.status in ("document-kills-workers", "worker-crashed"):
            self._crash(ended)

    def _crash(self, ended: Ended) -> None:
        causes = sorted(set(_SIGNAL.findall(ended.message))) or [ended.message[:200]]
        self._findings.crashes.setdefault(" and ".join(causes), []).append(ended.label)
        # A signal in the engine is a fault of the engine; these would be ours.
        for ours in ("broke the protocol", "exited with status", "SIGSYS", "SIGALRM"):
            if ours in ended.message:
                self._fault(ended, ended.message)

    def _fault(self, ended: Ended, what: str) -> None:
        self._findings.faults.append(f"{ended.label}: {what}")


class Supervisor:
    """The daemon's process, looked at from outside while nothing is asked of it."""

    def __init__(self, daemon: Configured, workers: int) -> None:
        self._daemon = daemon
        self._process = psutil.Process(daemon.process.pid)
        self._workers = workers

    def at_rest(self, findings: Findings) -> tuple[int, int]:
        """Waits until every worker is idle; its resident bytes and descriptors. Finds whoever should not be there."""
        until = time.monotonic() + 60
        with self._daemon.client() as client:
            while True:
                status = client.status()
                states = [worker.state for worker in status.workers]
                if states == [WorkerState.IDLE] * self._workers and not status.queued:
                    break
                if time.monotonic() > until:
                    findings.faults.append(f"the workers do not come to rest: {states}, {status.queued} waiting")
                    break
                time.sleep(0.02)
            if status.pid != self._daemon.process.pid:
                findings.faults.append(f"another process answers: {status.pid}")
            findings.workers_replaced = max(worker.id for worker in status.workers) - self._workers
        descendants = self._process.children(recursive=True)
        dead = [each.pid for each in descendants if each.status() == psutil.STATUS_ZOMBIE]
        # And one zygote.
        if dead or len(descendants) != self._workers + 1:
            findings.faults.append(f"{len(descendants)} processes for {self._workers} workers, zombies: {dead}")
        return self._process.memory_info().rss, self._process.num_fds()


@dataclass(frozen=True)
class Plan:
    """What a run does."""

    count: int
    seed: int = 1
    corpus: Path | None = None
    clients: int = 3
    deadline_s: float = 5.0
    #: Only this mutation.
    only: int | None = None

    def good(self) -> list[Good]:
        """What is mutated."""
        return generated() + examples() + ([] if self.corpus is None else of_corpus(self.corpus))

    def hostile_files(self) -> list[Path]:
        """Converted as they are."""
        if self.corpus is None:
            return []
        return [sample.path for sample in samples(self.corpus) if "robust" in sample.kinds]


def run(plan: Plan, say: object = None) -> Findings:
    """Runs a daemon of its own."""
    findings = Findings(plan.seed)
    good = plan.good()
    workers = plan.clients + 1
    with tempfile.TemporaryDirectory(prefix="ndfd-stress-") as name:
        config = f'[swarm]\nworkers = {workers}\nworker_memory = "600MB"\n[logging]\nformat = "json"\nlevel = "warning"\n'
        with running(Path(name), config) as daemon:
            with hostile_load(
                daemon.sockets / "ndfd.sock", good, clients=plan.clients, seed=plan.seed, deadline_s=plan.deadline_s
            ) as load:
                _Run(plan, daemon, load, findings, Supervisor(daemon, workers), say).run()
            family = psutil.Process(daemon.process.pid).children(recursive=True)
            _read_log(daemon, findings)
            daemon.process.terminate()
            if (status := daemon.process.wait(60)) != 0:
                findings.faults.append(f"the daemon ended with status {status}")
            _, left = psutil.wait_procs(family, timeout=10)
            findings.faults += [f"process {each.pid} outlives the daemon" for each in left if not _is_zombie(each)]
    return findings


class _Run:
    def __init__(
        self, plan: Plan, daemon: Configured, load: HostileLoad, findings: Findings, supervisor: Supervisor, say: object
    ) -> None:
        self._plan = plan
        self._daemon = daemon
        self._load = load
        self._findings = findings
        self._supervisor = supervisor
        self._say = say
        self._judge = Judge(findings, plan.deadline_s)
        self._user = GoodUser(daemon.sockets / "ndfd.sock", _between())

    def run(self) -> None:
        begun = time.monotonic()
        found, plan = self._findings, self._plan
        indexes = range(plan.count) if plan.only is None else range(plan.only, plan.only + 1)
        files = plan.hostile_files() if plan.only is None else []
        # What a daemon does once, the first time, is no growth.
        self._user.rounds("first", 2)
        self._work(self._load.sound(indexes[:_COMPANY]), "first")
        found.rss_before_bytes, found.descriptors_before = self._supervisor.at_rest(found)
        for start in range(0, len(indexes), _BLOCK):
            block = indexes[start : start + _BLOCK]
            self._user.rounds("quiet", 3)
            self._work(self._load.sound(block[:_COMPANY]), "company")
            found.mutations += self._work(self._load.mutants(block), "mutations")
            if start == 0 and files:
                found.files += self._work(self._load.files(files), "mutations")
            self._rest()
            self._tell(f"{found.mutations} of {len(indexes)} mutations, {len(found.faults)} faults")
            if self._daemon.process.poll() is not None:
                found.faults.append(f"the daemon ended with status {self._daemon.process.returncode}")
                break
        found.faults += self._user.faults
        for kind in ("quiet", "company", "mutations"):
            multiples = self._user.multiples(kind)
            found.good[kind] = len(multiples)
            found.good_p95[kind] = statistics.quantiles(multiples, n=20)[18] if len(multiples) > 1 else 0.0
        found.seconds = time.monotonic() - begun
        if growth := max(0, found.rss_after_bytes - found.rss_before_bytes - GROWTH_MAX_BYTES):
            found.faults.append(f"the supervisor has {growth + GROWTH_MAX_BYTES} bytes more than before")
        if found.descriptors_after > found.descriptors_before:
            found.faults.append(f"{found.descriptors_after - found.descriptors_before} descriptors were left open")

    def _work(self, futures: Sequence[Any], kind: str) -> int:
        with self._user.meanwhile(kind):
            for done in as_completed(futures):
                ended = done.result()
                if kind == "mutations":
                    self._judge.take(ended)
                elif ended.status not in ("ok", "partial"):
                    self._findings.faults.append(f"a sound document failed: {ended}")
        return len(futures)

    def _rest(self) -> None:
        found = self._findings
        found.rss_after_bytes, found.descriptors_after = self._supervisor.at_rest(found)
        found.rss_max_bytes = max(found.rss_max_bytes, found.rss_after_bytes)

    def _tell(self, line: str) -> None:
        if callable(self._say):
            self._say(line)


def _between() -> list[Good]:
    """What the good user converts: a few pages each, of different kinds."""
    names = {"numbered_pages", "ruled_table", "form", "tagged", "form.pdf", "leaflet-tagged.pdf", "report.pdf"}
    return [each for each in generated() + examples() if each.name in names]


def _read_log(daemon: Configured, findings: Findings) -> None:
    for line in daemon.log.read_text(errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            findings.stray_lines[line[:120]] += 1
            continue
        if "exception" in record or record["level"] == "critical":
            findings.faults.append(f"the daemon logged: {line[:500]}")


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="scripts/stress documents", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="mutations (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other mutations")
    parser.add_argument(
        "--corpus", type=Path, metavar="DIR", help="mutate its good files, too, and convert its hostile ones"
    )
    parser.add_argument("--clients", type=int, default=3, help="programs at once (default: %(default)s)")
    parser.add_argument("--deadline", type=float, default=5.0, metavar="SECONDS", help="default: %(default)s")
    parser.add_argument("--only", type=int, metavar="INDEX", help="only this mutation")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="with --only: write it there as well")
    parser.add_argument("--json", action="store_true", help="the findings as JSON on stdout")
    arguments = parser.parse_args()
    plan = Plan(
        arguments.count,
        arguments.seed,
        arguments.corpus,
        arguments.clients,
        arguments.deadline,
        arguments.only,
    )
    if arguments.only is not None:
        mutant = Fuzzer(plan.good(), plan.seed).mutant(arguments.only)
        print(mutant, file=sys.stderr)
        if arguments.keep is not None:
            arguments.keep.write_bytes(mutant.data)
    elif arguments.keep is not None:
        parser.error("--keep FILE needs --only INDEX")
    findings = run(plan, lambda line: print(line, file=sys.stderr, flush=True))
    slow = findings.slow()
    if arguments.json:
        ratios = {f"p95_against_{kind}": findings.ratio(kind) for kind in ("quiet", "company")}
        print(json.dumps(asdict(findings) | ratios | {"slow": slow, "cpus": len(os.sched_getaffinity(0))}, indent=1))
    else:
        print("\n".join([*findings.lines(), *([slow] if slow else [])]))
    return 1 if findings.faults or slow else 0


if __name__ == "__main__":
    sys.exit(main())
