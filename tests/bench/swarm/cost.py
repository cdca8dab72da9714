"""What isolation costs: documents through a daemon and its confined workers, beside bare processes that convert them.

Both sides convert the same documents in as many lanes at once; each lane has all of them, from another start. A round
measures every side once, in turns.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from ndfd.client import Client
from ndfd.client.private import PrivateDaemon
from ndfd.errors import ConfigError
from tests.bench.daemon import private_daemon
from tests.bench.report import progress
from tests.bench.swarm.child import Child
from tests.bench.swarm.figures import Batch, Comparison, Spread, per_document_ms, rotated
from tests.bench.swarm.processes import cpu_s, daemon_pid, run_on, worker_pids

_REUSE = ("never", "any")


class Load(NamedTuple):
    """Documents that are converted in one go."""

    name: str
    paths: tuple[Path, ...]

    def lanes(self, count: int) -> list[list[str]]:
        """For each lane all documents."""
        paths = [str(path) for path in self.paths]
        return [rotated(paths, lane * len(paths) // count) for lane in range(count)]


class Through:
    """A daemon with so many workers, and a client with lanes for each."""

    def __init__(
        self, workers: int, *settings: str, cpus: tuple[int, int] | None = None, lanes_per_worker: int = 1
    ) -> None:
        """`cpus`: that of the workers, and that of daemon and client; None for whichever the kernel gives them.

        With one lane a worker waits while its next document is on its way; with two, that document waits for it.
        """
        self._workers = workers
        self._count = workers * lanes_per_worker
        self._settings = [f"swarm.workers={workers}", *settings]
        self._cpus = cpus
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        settings = self._settings + ([] if self._cpus is None else [f"swarm.cpus={self._cpus[0]}"])
        arguments = [word for setting in settings for word in ("--set", setting)]
        beside = None if self._cpus is None else frozenset({self._cpus[1]})
        with contextlib.ExitStack() as stack:
            socket = stack.enter_context(private_daemon(arguments))
            self._client = stack.enter_context(Client.connect(socket))
            self._daemon = daemon_pid(self._client)
            if beside is not None:
                # Only now: a daemon gives its workers no CPU that it may not use itself.
                run_on(self._daemon, beside)
            self._lanes = stack.enter_context(Child("convert_through", str(socket), str(self._count), cpus=beside))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def convert(self, load: Load) -> Batch:
        """Once in every lane."""
        before = self._worker_pids()
        daemon_s, worker_s = cpu_s([self._daemon]), cpu_s(before)
        begun = time.perf_counter()
        answer = self._lanes.ask(lanes=load.lanes(self._count))
        wall_s = time.perf_counter() - begun
        return Batch(
            documents=len(load.paths) * self._count,
            wall_s=wall_s,
            client_s=answer["cpu_s"],
            daemon_s=cpu_s([self._daemon]) - daemon_s,
            # What replaced workers took is lost with them.
            worker_s=cpu_s(before) - worker_s if self._worker_pids() == before else 0.0,
            conversion_s=answer["conversion_s"],
        )

    def _worker_pids(self) -> list[int]:
        return worker_pids(self._client)


class Bare:
    """So many processes that convert without a daemon."""

    def __init__(self, processes: int, cpu: int | None = None) -> None:
        cpus = None if cpu is None else frozenset({cpu})
        self._children = [Child("convert_directly", cpus=cpus) for _ in range(processes)]
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        for child in self._children:
            self._stack.enter_context(child)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def convert(self, load: Load) -> Batch:
        """Once in every process."""
        begun = time.perf_counter()
        for child, paths in zip(self._children, load.lanes(len(self._children)), strict=True):
            child.tell(paths=paths)
        worker_s = sum(child.hear()["cpu_s"] for child in self._children)
        return Batch(len(load.paths) * len(self._children), time.perf_counter() - begun, worker_s=worker_s)


def measure(loads: Sequence[Load], workers: int, rounds: int) -> dict[str, Any]:
    """The figures, by load and number of workers."""
    counts = sorted({1, workers})
    cpus = sorted(os.sched_getaffinity(0))
    skipped: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        sides: dict[str, Through | Bare] = {}
        for count in counts:
            sides[f"daemon {count}"] = stack.enter_context(Through(count))
            sides[f"bare {count}"] = stack.enter_context(Bare(count))
        if len(cpus) > 1:
            sides["daemon pinned"] = stack.enter_context(Through(1, cpus=(cpus[0], cpus[1])))
            fed = Through(1, cpus=(cpus[0], cpus[1]), lanes_per_worker=2)
            sides["daemon fed"] = stack.enter_context(fed)
            sides["bare pinned"] = stack.enter_context(Bare(1, cpu=cpus[0]))
        for reuse in _REUSE:
            if (reason := _refuses(f"sandbox.reuse={reuse}")) is None:
                sides[f"reuse {reuse}"] = stack.enter_context(Through(workers, f"sandbox.reuse={reuse}"))
            else:
                skipped[reuse] = reason
        batches = {load.name: _rounds(load, sides, rounds) for load in loads}
    return {
        "loads": {load.name: _figures(load, batches[load.name], counts) for load in loads},
        "reuse_skipped": skipped,
    }


def _refuses(setting: str) -> str | None:
    """Why a daemon does not take a setting; None when it does."""
    try:
        with PrivateDaemon(["--set", setting]):
            return None
    except ConfigError as error:
        return str(error)


def _rounds(load: Load, sides: dict[str, Through | Bare], rounds: int) -> dict[str, list[Batch]]:
    batches: dict[str, list[Batch]] = {name: [] for name in sides}
    for side in sides.values():
        # Fills the caches of the machine and of the processes.
        side.convert(load._replace(paths=load.paths[:1]))
    for number in range(rounds):
        for name in rotated(list(sides), number):
            batches[name].append(sides[name].convert(load))
        progress(number + 1, rounds, f"rounds of {load.name}")
    return batches


def _figures(load: Load, batches: dict[str, list[Batch]], counts: Sequence[int]) -> dict[str, Any]:
    per_s = {name: [batch.per_s for batch in each] for name, each in batches.items()}
    pairs = [(f"daemon {count}", f"bare {count}") for count in counts]
    pairs += [("daemon pinned", "bare pinned"), ("daemon fed", "bare pinned")]
    reuses = [(f"reuse {reuse}", f"daemon {counts[-1]}") for reuse in _REUSE]
    return {
        "documents": len(load.paths),
        "bytes": sum(path.stat().st_size for path in load.paths),
        "per_s": {name: Spread.of(each).as_json() for name, each in per_s.items()},
        "by_bare": {ours: Comparison.of(per_s[ours], per_s[bare]).as_json() for ours, bare in pairs if ours in per_s},
        "reuse_by_uid": {
            ours.removeprefix("reuse "): Comparison.of(per_s[ours], per_s[uid]).as_json()
            for ours, uid in reuses
            if ours in per_s
        },
        "efficiency": {
            side: Comparison.of(
                per_s[f"{side} {counts[-1]}"], [counts[-1] * one for one in per_s[f"{side} {counts[0]}"]]
            ).as_json()
            for side in ("daemon", "bare")
        },
        "cpu_ms_per_document": {
            name: {of: per_document_ms(each, of) for of in ("client_s", "daemon_s", "worker_s", "conversion_s")}
            for name, each in batches.items()
        },
    }


def lines(figures: dict[str, Any], workers: int) -> list[str]:
    """The same for people."""
    said = []
    for name, load in figures["loads"].items():
        said += [
            f"{name}: {load['documents']} documents, {load['bytes'] / 1e6:.1f} MB",
            f"  {'':<16}{'':>8}{'':>24}   CPU ms per document:",
            (
                f"  {'side':<16}{'docs/s':>8}{'by bare (rounds)':>24}   "
                f"{'client':>9}{'daemon':>9}{'worker':>9}{'engine':>9}"
            ),
        ]
        for side, per_s in load["per_s"].items():
            ratio = load["by_bare"].get(side) or load["reuse_by_uid"].get(side.removeprefix("reuse "))
            cpu = load["cpu_ms_per_document"][side]
            shown = "" if ratio is None else f"{ratio['ratio']:.2f} ({ratio['least']:.2f}-{ratio['most']:.2f})"
            shown += " of uid" if side.startswith("reuse") else ""
            parts = "".join(f"{cpu[of]:>9.2f}" for of in ("client_s", "daemon_s", "worker_s", "conversion_s"))
            said.append(f"  {side:<16}{per_s['median']:>8.1f}{shown:>24}   {parts}")
        efficiency = load["efficiency"]
        said.append(
            f"  efficiency from 1 to {workers}: daemon {efficiency['daemon']['ratio']:.2f}, "
            f"bare processes {efficiency['bare']['ratio']:.2f}"
        )
    said += [f"reuse {reuse}: left out, {reason}" for reuse, reason in figures["reuse_skipped"].items()]
    return said
