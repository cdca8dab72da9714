"""Converts thousands of mutations of good documents, and watches the daemon, its memory and its other users meanwhile.

Three kinds of time alternate: the user of good documents is alone (quiet); has company that converts the same sound
documents that are mutated otherwise (company); and while mutations are converted (mutations). What company alone costs
on this machine is no fault of the mutations, so the times of the third are held against those of both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from pathlib import Path

import psutil

from ndfd.model.status import WorkerState
from tests.bench.selection import samples
from tests.daemon.configured import Configured, running
from tests.stress.findings import Findings, Judge
from tests.stress.fuzzer import Fuzzer
from tests.stress.good_files import Good, examples, generated, of_corpus
from tests.stress.good_user import GoodUser
from tests.stress.hostile_load import Ended, HostileLoad, hostile_load

#: What the supervisor may have more at the end than at the beginning.
GROWTH_MAX_BYTES = 20_000_000
#: Mutations between two times of quiet.
_BLOCK = 250
#: Sound documents of company in each block: enough for as many good ones beside them.
_COMPANY = 60


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
        return self._process.memory_info().rss, self._fewest_descriptors()

    def _fewest_descriptors(self) -> int:
        """Within a second: a leak stays, and a connection just closed goes when the daemon hears of it."""
        fewest, until = self._process.num_fds(), time.monotonic() + 1
        while time.monotonic() < until:
            time.sleep(0.02)
            fewest = min(fewest, self._process.num_fds())
        return fewest


Say = Callable[[str], None]


def _silent(line: str) -> None:
    """For who only wants the findings."""


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


def run(plan: Plan, say: Say = _silent) -> Findings:
    """Runs a daemon of its own."""
    findings = Findings(plan.seed)
    good = plan.good()
    workers = plan.clients + 1
    with tempfile.TemporaryDirectory(prefix="ndfd-stress-") as name:
        config = (
            f'[swarm]\nworkers = {workers}\nworker_memory = "600MB"\n[logging]\nformat = "json"\nlevel = "warning"\n'
        )
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
        self, plan: Plan, daemon: Configured, load: HostileLoad, findings: Findings, supervisor: Supervisor, say: Say
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
            self._say(f"{found.mutations} of {len(indexes)} mutations, {len(found.faults)} faults")
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

    def _work(self, futures: Sequence[Future[Ended]], kind: str) -> int:
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `scripts/stress documents`."""
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


def main(arguments: argparse.Namespace) -> int:
    """The program; 1 when anything was found that must not be."""
    plan = Plan(
        arguments.count, arguments.seed, arguments.corpus, arguments.clients, arguments.deadline, arguments.only
    )
    if plan.only is not None:
        mutant = Fuzzer(plan.good(), plan.seed).mutant(plan.only)
        print(mutant, file=sys.stderr)
        if arguments.keep is not None:
            arguments.keep.write_bytes(mutant.data)
    elif arguments.keep is not None:
        raise SystemExit("scripts/stress documents: --keep FILE needs --only INDEX")
    findings = run(plan, lambda line: print(line, file=sys.stderr, flush=True))
    slow = findings.slow()
    if arguments.json:
        print(json.dumps(findings.as_json() | {"slow": slow, "cpus": len(os.sched_getaffinity(0))}, indent=1))
    else:
        print("\n".join([*findings.lines(), *([slow] if slow else [])]))
    return 1 if findings.faults or slow else 0
