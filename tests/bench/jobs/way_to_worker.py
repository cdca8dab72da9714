"""How long a job takes to a worker that is free, and what being durable adds to a conversion."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.jobs import Job
from tests import documents
from tests.bench.jobs.daemons import daemon, socket
from tests.bench.jobs.submitters import Submitters, document, percentiles_ms
from tests.bench.report import progress
from tests.bench.swarm.figures import Comparison


def measure(folder: Path, size: int, rounds: int) -> dict[str, Any]:
    """In each round a job alone, from submission to end, and the same document converted for a caller that waits."""
    content = document(documents.numbered_pages(3), size)
    to_worker, to_end, converted = [], [], []
    with (
        daemon(folder / "daemon-worker") as started,
        Submitters(socket(started), 1, content) as submitter,
        started.client() as client,
    ):
        for number in range(rounds):
            begun = time.perf_counter()
            job_id = submitter.submit_one()
            seen: list[Job] = []
            client.watch([job_id], seen.append)
            to_end.append(time.perf_counter() - begun)
            job = seen[-1]
            if job.started_at is None:
                raise SystemExit(f"scripts/bench: job {job_id} ended without a run: {job.fault}")
            to_worker.append(job.started_at - job.accepted_at)
            begun = time.perf_counter()
            client.convert(content, ConvertOptions(OutputFormat.TEXT)).close()
            converted.append(time.perf_counter() - begun)
            progress(number + 1, rounds, "jobs alone")
    figures: dict[str, Any] = {}
    for name, readings in (("to_worker", to_worker), ("to_end", to_end), ("converted", converted)):
        figures[f"{name}_p50_ms"], figures[f"{name}_p99_ms"] = percentiles_ms(readings)
    return figures | {"to_end_by_converted": Comparison.of(to_end, converted).as_json()}


def lines(figures: dict[str, Any]) -> list[str]:
    """The same for people."""
    return [
        "a job alone, p50/p99 ms",
        f"  accepted -> leased to a worker    {_ms(figures, 'to_worker')}",
        f"  submitted -> ended                {_ms(figures, 'to_end')}",
        f"  converted for one who waits       {_ms(figures, 'converted')}",
        f"  ended by converted                x {figures['to_end_by_converted']['ratio']:.1f}",
    ]


def _ms(figures: dict[str, Any], name: str) -> str:
    return f"{figures[f'{name}_p50_ms']:.2f}/{figures[f'{name}_p99_ms']:.2f}"
