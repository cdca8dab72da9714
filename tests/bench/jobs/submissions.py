"""Durable submissions a second, and how long each waits for its acknowledgement, by number of clients."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests import documents
from tests.bench.jobs import one_by_one
from tests.bench.jobs.daemons import continue_workers, daemon, socket, stop_workers
from tests.bench.jobs.submitters import Sent, Submitters, document, percentiles_ms
from tests.bench.report import progress
from tests.bench.swarm.figures import Comparison, Spread
from tests.bench.swarm.processes import cpu_s
from tests.daemon.configured import Configured

_STATES = ("idle", "busy")
#: In place of a number of clients: one by one, with no daemon.
_ALONE = 0
#: Submissions of one reading: so many for each client, and at least.
_EACH, _LEAST = 40, 200


class Readings:
    """Of one combination of size, state and clients, over the rounds."""

    def __init__(self) -> None:
        self.per_s: list[float] = []
        self.acknowledged_s: list[float] = []
        self.daemon_cpu_s = 0.0

    def add(self, sent: Sent, daemon_cpu_s: float = 0.0) -> None:
        """One reading."""
        self.per_s.append(sent.per_s)
        self.acknowledged_s += sent.acknowledged_s
        self.daemon_cpu_s += daemon_cpu_s

    def as_json(self, alone: Readings, fewest_clients: Readings) -> dict[str, Any]:
        """The figures, and how they stand to those of the same rounds: with no daemon, and with the fewest clients."""
        median_ms, p99_ms = percentiles_ms(self.acknowledged_s)
        return {
            "per_s": Spread.of(self.per_s).as_json(),
            "acknowledged_p50_ms": median_ms,
            "acknowledged_p99_ms": p99_ms,
            "daemon_cpu_us": 1e6 * self.daemon_cpu_s / len(self.acknowledged_s),
            "by_one_by_one": Comparison.of(self.per_s, alone.per_s).as_json(),
            "by_fewest_clients": Comparison.of(self.per_s, fewest_clients.per_s).as_json(),
        }


def measure(folder: Path, sizes: Sequence[int], clients: Sequence[int], rounds: int) -> dict[str, Any]:
    """The figures by size of the documents, state of the workers, and number of clients."""
    figures = {}
    for size in sizes:
        content = document(documents.numbered_pages(3), size)
        with daemon(folder / f"daemon-{size}") as started, contextlib.ExitStack() as stack:
            groups = [stack.enter_context(Submitters(socket(started), each, content)) for each in clients]
            readings = _rounds(started, folder / f"one-by-one-{size}", groups, content, rounds)
        figures[f"{size // 1000} KB"] = {
            state: {
                str(each): readings[state, each].as_json(readings[state, _ALONE], readings[state, clients[0]])
                for each in (_ALONE, *clients)
            }
            for state in _STATES
        }
    return figures


def _rounds(
    started: Configured, beside: Path, groups: Sequence[Submitters], content: bytes, rounds: int
) -> dict[tuple[str, int], Readings]:
    sides = (_ALONE, *(group.clients for group in groups))
    readings = {(state, side): Readings() for state in _STATES for side in sides}
    number = 0
    # What happens once, the first time, is none of it; it gives the workers something to be busy with, too.
    groups[-1].submit(_LEAST)
    for done in range(rounds):
        for state in _STATES:
            (stop_workers if state == "idle" else continue_workers)(started)
            readings[state, _ALONE].add(one_by_one.submit(beside, content, _LEAST, number := number + _LEAST))
            for group in groups:
                before_s = cpu_s([started.process.pid])
                sent = group.submit(max(_LEAST, _EACH * group.clients))
                readings[state, group.clients].add(sent, cpu_s([started.process.pid]) - before_s)
        progress(done + 1, rounds, f"rounds of {len(content) // 1000} KB")
    return readings


def lines(figures: dict[str, Any]) -> list[str]:
    """The same for people."""
    return [
        f"{size:>5}, workers {state}, {_who(int(clients))}: {reading['per_s']['median']:5.0f}/s   p50/p99 "
        f"{reading['acknowledged_p50_ms']:5.2f}/{reading['acknowledged_p99_ms']:6.2f} ms   "
        f"x {reading['by_one_by_one']['ratio']:.2f} of one by one, "
        f"x {reading['by_fewest_clients']['ratio']:.2f} of the fewest clients   "
        f"daemon {reading['daemon_cpu_us']:4.0f} us of CPU"
        for size, states in figures.items()
        for state, readings in states.items()
        for clients, reading in readings.items()
    ]


def _who(clients: int) -> str:
    return "one by one" if clients == _ALONE else f"{clients:>2} clients"
