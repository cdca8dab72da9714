"""How long innocent callers wait while another one's documents end their worker over and over.

In turns: nobody else there; an innocent caller whose long document keeps one worker busy; a caller whose document ends
its worker 30 ms after it was given to it. The second is what the third costs on CPUs that are shared anyway.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ndfd.client import Client
from tests.bench.daemon import private_daemon
from tests.bench.report import progress
from tests.bench.swarm.child import Child
from tests.bench.swarm.figures import Comparison, Spread

_DEADLINE_S = 0.03
_PHASES = ("quiet", "busy", "attack")


def measure(small: Path, long: Path, workers: int, rounds: int, phase_s: float) -> dict[str, Any]:
    """The figures, in milliseconds, with at least two workers."""
    readings: dict[str, dict[str, list[list[float]]]] = {
        what: {phase: [] for phase in _PHASES} for what in ("status", "small")
    }
    ended = 0
    with private_daemon(["--set", f"swarm.workers={max(2, workers)}"]) as socket, Client.connect(socket) as client:
        others: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
            "quiet": contextlib.nullcontext,
            "busy": lambda: _caller(socket, long, None),
            "attack": lambda: _caller(socket, long, _DEADLINE_S),
        }
        for number in range(rounds):
            for phase in _PHASES:
                with others[phase]():
                    before = client.status().failed
                    taken = _taken(client, small, phase_s)
                    if phase == "attack":
                        ended += client.status().failed - before
                for what, each in taken.items():
                    readings[what][phase].append(each)
            progress(number + 1, rounds, "rounds of an attack")
    return {
        "workers_ended": ended,
        "workers_ended_per_s": ended / (rounds * phase_s),
        **{what: _figures(phases) for what, phases in readings.items()},
    }


def _taken(client: Client, small: Path, phase_s: float) -> dict[str, list[float]]:
    """One after the other for so many seconds; at least one of each."""
    taken: dict[str, list[float]] = {"status": [], "small": []}
    until = time.perf_counter() + phase_s
    while not taken["small"] or time.perf_counter() < until:
        for what, call in (("status", client.status), ("small", lambda: client.convert(small).close())):
            begun = time.perf_counter()
            call()
            taken[what].append(1000 * (time.perf_counter() - begun))
    return taken


def _caller(socket: Path, long: Path, deadline_s: float | None) -> contextlib.AbstractContextManager[Any]:
    """A process that has one document converted again and again, whatever comes of it."""
    return Child("convert_again", str(socket), str(long), "" if deadline_s is None else str(deadline_s))


def _figures(phases: dict[str, list[list[float]]]) -> dict[str, Any]:
    spreads = {phase: [Spread.of(each) for each in rounds] for phase, rounds in phases.items()}
    whole = {phase: Spread.of([each for taken in rounds for each in taken]) for phase, rounds in phases.items()}
    return {
        **{f"{phase}_ms": spread.as_json() for phase, spread in whole.items()},
        **{
            f"attack_by_{phase}": {
                of: Comparison.of(
                    [getattr(each, of) for each in spreads["attack"]], [getattr(each, of) for each in spreads[phase]]
                ).as_json()
                for of in ("median", "p95")
            }
            for phase in ("quiet", "busy")
        },
    }


def lines(figures: dict[str, Any]) -> list[str]:
    """The same for people."""
    said = [f"attack: {figures['workers_ended']} workers ended, {figures['workers_ended_per_s']:.0f} a second"]
    for what in ("status", "small"):
        each = figures[what]
        times = "   ".join(
            f"{phase} {each[f'{phase}_ms']['median']:.2f}/{each[f'{phase}_ms']['p95']:.2f}" for phase in _PHASES
        )
        ratios = ", ".join(f"by {phase} {_ratios(each[f'attack_by_{phase}'])}" for phase in ("quiet", "busy"))
        said.append(f"  {what:<8}p50/p95 ms: {times}   attack {ratios}")
    return said


def _ratios(by: dict[str, dict[str, float]]) -> str:
    return f"{by['median']['ratio']:.2f}/{by['p95']['ratio']:.2f}"
