"""What the swarm of workers costs and how fast it mends itself: isolation, start, ends of workers, an attack.

The sides of the cost of isolation: "daemon N" and "bare N" share all CPUs; "pinned" has the one worker, or the
bare process, on a CPU of its own, the daemon and the client on another; "fed" is that with a second document always
waiting, which is what the isolation itself costs.

Every ratio is taken within one run, its two sides in turns, so that a noisy machine is noisy for both. Absolute times
are those of the machine in that moment.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.swarm import attack, cost, documents, ends, startup

_PARTS = ("cost", "startup", "ends", "attack")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `scripts/bench swarm` beyond the shared ones."""
    parser.add_argument("--only", default=",".join(_PARTS), metavar="PART,…", help="of %(default)s")
    parser.add_argument(
        "--workers",
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="workers (default: the CPUs, %(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of each measurement (default: %(default)s)")
    parser.add_argument(
        "--pages", type=int, default=400, metavar="N", help="of the long document (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Measures and prints; 64 for a part that there is not."""
    parts = arguments.only.split(",")
    if unknown := set(parts) - set(_PARTS):
        raise SystemExit(f"scripts/bench: no part {', '.join(sorted(unknown))}: there are {', '.join(_PARTS)}")
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(arguments, parts, Path(folder))
    print(json.dumps(figures, indent=2) if arguments.json else "\n".join(lines(figures, arguments.workers)))
    return 0


def measure(arguments: argparse.Namespace, parts: list[str], folder: Path) -> dict[str, Any]:
    """The figures of each part that is asked for."""
    small = documents.small(arguments.corpus, arguments.documents or 40)
    long = documents.long(arguments.corpus, arguments.pages, folder / "long.pdf")
    loads = [cost.Load("50 KB documents", tuple(small)), cost.Load(f"{arguments.pages} pages", (long,))]
    workers, rounds = arguments.workers, arguments.rounds
    figures: dict[str, Any] = {}
    if "cost" in parts:
        figures["cost"] = cost.measure(loads, workers, rounds)
    if "startup" in parts:
        figures["startup"] = startup.measure(small[0], rounds)
    if "ends" in parts:
        figures["ends"] = ends.measure(small[0], long, workers, 4 * rounds)
    if "attack" in parts:
        figures["attack"] = attack.measure(small[0], long, workers, rounds, phase_s=1.0)
    return figures


def lines(figures: dict[str, Any], workers: int) -> list[str]:
    """The same for people."""
    said: list[str] = []
    if "cost" in figures:
        said += cost.lines(figures["cost"], workers)
    for part, module in (("startup", startup), ("ends", ends), ("attack", attack)):
        if part in figures:
            said += module.lines(figures[part])
    return said
