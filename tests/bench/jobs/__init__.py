"""What durable jobs cost: submissions a second and their acknowledgement, the way to a worker, memory, recovery.

Submissions go over the Varlink door of a real daemon, from 1 to 64 clients in one thread, each with a document of its
own every time. "idle": the workers are stopped, so that jobs only come in; "busy": they convert all the while, and
what the daemon has to do for that counts too. Beside them, in turns and on the same disk, documents and rows are
written and synced one by one, with no daemon at all.

An ext4 on which many files were deleted within the last minutes makes new ones at up to twice the cost, for it looks
for inodes that were not (recently_deleted in fs/ext4/ialloc.c): name a folder on a disk that was at rest. Absolute
figures are those of the machine and its disk in that moment; ratios are taken within one round.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.jobs import growth, submissions, way_to_worker

_PARTS = ("submissions", "worker", "growth")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `scripts/bench jobs`."""
    parser.add_argument("--only", default=",".join(_PARTS), metavar="PART,…", help="of %(default)s")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of each measurement (default: %(default)s)")
    parser.add_argument("--clients", default="1,4,16,64", metavar="N,…", help="at once (default: %(default)s)")
    parser.add_argument("--sizes", default="8,50", metavar="KB,…", help="of the documents (default: %(default)s)")
    parser.add_argument(
        "--jobs", type=int, default=100_000, metavar="N", help="up to which memory is looked at (default: %(default)s)"
    )
    parser.add_argument("--folder", type=Path, metavar="DIR", help="on whose disk the store lies (default: $TMPDIR)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Measures and prints; 64 for a part that there is not."""
    parts = arguments.only.split(",")
    if unknown := set(parts) - set(_PARTS):
        raise SystemExit(f"scripts/bench: no part {', '.join(sorted(unknown))}: there are {', '.join(_PARTS)}")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        figures = measure(arguments, parts, Path(folder))
    print(json.dumps(figures, indent=2) if arguments.json else "\n".join(lines(figures)))
    return 0


def measure(arguments: argparse.Namespace, parts: list[str], folder: Path) -> dict[str, Any]:
    """The figures of each part that is asked for."""
    clients = [int(each) for each in arguments.clients.split(",")]
    sizes = [1000 * int(each) for each in arguments.sizes.split(",")]
    figures: dict[str, Any] = {"cpus": len(os.sched_getaffinity(0))}
    if "submissions" in parts:
        figures["submissions"] = submissions.measure(folder, sizes, clients, arguments.rounds)
    if "worker" in parts:
        figures["worker"] = way_to_worker.measure(folder, sizes[0], 40 * arguments.rounds)
    if "growth" in parts:
        figures["growth"] = growth.measure(folder, arguments.jobs, clients[-1])
    return figures


def lines(figures: dict[str, Any]) -> list[str]:
    """The same for people."""
    said: list[str] = []
    for part, module in (("submissions", submissions), ("worker", way_to_worker), ("growth", growth)):
        if part in figures:
            said += module.lines(figures[part])
    return said
