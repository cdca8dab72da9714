"""CPU time per page of ndfd and its peers on the same documents.

Each engine runs in a process of its own, all pinned to the same core, one at a time. A round reads every document with
every engine before it goes to the next document, so that a noisy neighbour disturbs all alike; of the rounds the
fastest counts, for each engine and document. Only documents that every engine reads are counted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.bench.engines import ENGINES
from tests.bench.environment import peers_python
from tests.bench.figures import Reading, Summary, summarise
from tests.bench.report import progress, table
from tests.bench.runner import EngineProcess, EngineStartError
from tests.bench.selection import NOT_FOR_SPEED, Sample, samples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `scripts/bench extract` beyond the shared ones."""
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds (default: %(default)s)")
    parser.add_argument(
        "--limit", type=float, default=20.0, metavar="SECONDS", help="for a document (default: %(default)s)"
    )
    parser.add_argument(
        "--core", type=int, default=max(os.sched_getaffinity(0)), help="the core to use (default: the last)"
    )
    parser.add_argument(
        "--engines", metavar="NAME,…", help="only these: " + ", ".join(engine.name for engine in ENGINES)
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")


def run(arguments: argparse.Namespace) -> int:
    """Measures, prints the table on stdout; 0, or 69 when no engine could be used."""
    chosen = samples(arguments.corpus, arguments.documents, NOT_FOR_SPEED)
    wanted = set(arguments.engines.split(",")) if arguments.engines else {engine.name for engine in ENGINES}
    python = peers_python()
    with contextlib.ExitStack() as stack:
        processes = []
        for engine in ENGINES:
            if engine.name in wanted:
                try:
                    processes.append(stack.enter_context(EngineProcess(engine, python, arguments.core)))
                except EngineStartError as error:
                    print(f"scripts/bench: left out: {error}", file=sys.stderr)
        if not processes:
            return 69
        readings = _read_all(processes, chosen, arguments.rounds, arguments.limit)
    summary = summarise([process.engine.name for process in processes], readings)
    print(table(summary))
    if arguments.json:
        arguments.json.write_text(json.dumps(_record(arguments, summary, readings), indent=1))
    return 0


def _read_all(
    processes: list[EngineProcess], chosen: list[Sample], rounds: int, limit_s: float
) -> dict[str, dict[str, Reading]]:
    """Engine -> document id -> the fastest of its readings."""
    readings: dict[str, dict[str, Reading]] = defaultdict(dict)
    given_up: set[str] = set()
    started = time.monotonic()
    for turn in range(1, rounds + 1):
        for place, sample in enumerate(chosen, 1):
            passed = time.monotonic() - started
            progress(place, len(chosen), f"documents, round {turn} of {rounds}, {passed:.0f} s")
            if sample.id in given_up:
                continue
            for process in processes:
                reading = Reading.of(process.read(sample.path, limit_s))
                readings[process.engine.name][sample.id] = reading.faster(readings[process.engine.name].get(sample.id))
                if reading.cpu_s is None:
                    # It does not count any more, whatever the other engines make of it.
                    given_up.add(sample.id)
    return readings


def _record(arguments: argparse.Namespace, summary: Summary, readings: dict[str, dict[str, Reading]]) -> dict[str, Any]:
    return {
        "corpus": str(arguments.corpus),
        "rounds": arguments.rounds,
        "limit_s": arguments.limit,
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "python": platform.python_version()},
        **summary.as_json(),
        "documents": {
            name: {document: reading.as_json() for document, reading in by_document.items()}
            for name, by_document in readings.items()
        },
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
