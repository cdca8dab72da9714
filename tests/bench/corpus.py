"""Converts every PDF of the corpus through a real daemon, and scores what came back with the corpus' own scorer.

DIR gets one ID.md for each document that was converted and one ID.err, with the error's code and message, for each that
was refused.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from ndfd.client import Client
from ndfd.errors import NdfdError
from ndfd.model.conversion import ConvertOptions
from tests.bench.daemon import private_daemon
from tests.bench.environment import peers_python
from tests.bench.report import progress
from tests.bench.scores import score_table
from tests.bench.selection import Sample, samples


@dataclass(frozen=True)
class Outcome:
    """How one conversion ended."""

    id: str
    #: "ok", "partial", or the error's code.
    status: str
    pages: int
    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `scripts/bench corpus` beyond the shared ones."""
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the results; what lies there is replaced"
    )
    parser.add_argument(
        "--deadline", type=float, default=120.0, metavar="SECONDS", help="for a document (default: %(default)s)"
    )
    parser.add_argument(
        "--jobs", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="conversions at once"
    )
    parser.add_argument("--kind", metavar="KIND,…", help="score and convert only documents of these kinds")


def run(arguments: argparse.Namespace) -> int:
    """Converts, scores, prints; 0, or 70 when the daemon did not live through it."""
    chosen = samples(arguments.corpus, arguments.documents)
    if arguments.kind:
        chosen = [sample for sample in chosen if sample.kinds & set(arguments.kind.split(","))]
    arguments.out.mkdir(parents=True, exist_ok=True)
    with private_daemon() as socket:
        with Client.connect(socket) as client:
            before = client.status().pid
        started = time.monotonic()
        outcomes = convert_all(socket, chosen, arguments.out, arguments.jobs, arguments.deadline)
        seconds = time.monotonic() - started
        with Client.connect(socket) as client:
            same = client.status().pid == before
    print(_account(outcomes, seconds))
    print(f"the daemon is {'the same process as before' if same else 'ANOTHER PROCESS than before'}\n")
    if (arguments.corpus / "score" / "score.py").is_file():
        print(score(arguments.corpus, arguments.out, chosen, arguments.jobs))
    return 0 if same else 70


def convert_all(socket: Path, chosen: list[Sample], out: Path, jobs: int, deadline_s: float) -> list[Outcome]:
    """Converts through the daemon at `socket`, `jobs` at once, and writes what comes back into `out`."""
    outcomes = []
    with ThreadPoolExecutor(jobs) as threads:
        for done in as_completed([threads.submit(_convert, socket, sample, out, deadline_s) for sample in chosen]):
            outcomes.append(done.result())
            progress(len(outcomes), len(chosen), "documents")
    return outcomes


def _convert(socket: Path, sample: Sample, out: Path, deadline_s: float) -> Outcome:
    """One document over a connection of its own."""
    started = time.monotonic()
    target, refusal = out / f"{sample.id}.md", out / f"{sample.id}.err"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    refusal.unlink(missing_ok=True)
    options = ConvertOptions(name=sample.path.name, password=sample.password, deadline_s=deadline_s)
    try:
        with Client.connect(socket) as client, client.convert(sample.path, options) as conversion:
            target.write_bytes(conversion.content)
            report = conversion.report
    except NdfdError as error:
        refusal.write_text(f"{error.code}: {error}\n")
        return Outcome(sample.id, error.code, 0, time.monotonic() - started)
    status = "partial" if report.pages_partial or report.pages_failed else "ok"
    return Outcome(sample.id, status, report.pages, time.monotonic() - started)


def _account(outcomes: list[Outcome], seconds: float) -> str:
    """How many ended how, and the slowest."""
    pages = sum(outcome.pages for outcome in outcomes)
    lines = [f"{len(outcomes)} documents, {pages} pages in {seconds:.1f} s: {pages / seconds:.0f} pages/s"]
    lines += [
        f"{count:6d}  {status}" for status, count in Counter(outcome.status for outcome in outcomes).most_common()
    ]
    slowest = sorted(outcomes, key=lambda outcome: -outcome.seconds)[:5]
    lines.append("slowest: " + ", ".join(f"{outcome.id} {outcome.seconds:.1f} s" for outcome in slowest))
    return "\n".join(lines)


def score(corpus: Path, out: Path, chosen: list[Sample], jobs: int) -> str:
    """The table of the corpus' scorer over the documents in `chosen`, by source."""
    manifest = json.loads((corpus / "manifest.json").read_bytes())
    converted = {sample.id for sample in chosen}
    items = [item for item in manifest["items"] if item["id"] in converted]
    result = out / "scores.json"
    scorer = [str(peers_python()), str(corpus / "score" / "score.py")]
    command = [*scorer, "--set", str(corpus), "--pred", str(out), "--out", str(result)]
    sources = ",".join(sorted({item["src"] for item in items}))
    # Its own summary counts documents that were not asked for here: the table is made anew from its figures.
    subprocess.run([*command, "--jobs", str(jobs), "--src", sources], check=True, stdout=subprocess.DEVNULL)
    figures = json.loads(result.read_bytes())["documents"]
    return score_table({item["id"]: item["src"] for item in items}, figures)
