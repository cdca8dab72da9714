"""From the execution of `ndfd run` to the first result, beside a Python that does nothing; and its stages one by one.

The stages are run alone, in processes of their own: in the daemon some of them go on at the same time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ndfd.client import Client
from tests.bench.daemon import private_daemon
from tests.bench.report import progress
from tests.bench.selection import ROOT
from tests.bench.swarm.figures import Comparison, Spread

#: The processes whose start has stages.
STAGES = ("daemon", "zygote")


def measure(document: Path, rounds: int) -> dict[str, Any]:
    """The figures, in milliseconds."""
    # As it is when installed: with its bytecode beside it, which the first start writes.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    _first_result(document)
    for process in STAGES:
        _stages(process)
    ready, result, nothing = [], [], []
    stages: dict[str, list[float]] = {}
    for number in range(rounds):
        nothing.append(_nothing())
        each = _first_result(document)
        ready.append(each[0])
        result.append(each[1])
        for process in STAGES:
            for name, took in _stages(process).items():
                stages.setdefault(f"{process}: {name}", []).append(took)
        progress(number + 1, rounds, "starts")
    return {
        "ready_ms": Spread.of(ready).as_json(),
        "first_result_ms": Spread.of(result).as_json(),
        "python_ms": Spread.of(nothing).as_json(),
        "first_result_by_python": Comparison.of(result, nothing).as_json(),
        "stages_ms": {name: Spread.of(each).as_json() for name, each in stages.items()},
    }


def _first_result(document: Path) -> tuple[float, float]:
    begun = time.perf_counter()
    with private_daemon() as socket:
        ready = time.perf_counter()
        with Client.connect(socket) as client, client.convert(document):
            return 1000 * (ready - begun), 1000 * (time.perf_counter() - begun)


def _nothing() -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return 1000 * (time.perf_counter() - begun)


def _stages(process: str) -> dict[str, float]:
    # By its path: as a module it would come with this package, and what that imports.
    command = [sys.executable, str(Path(__file__).with_name("stages.py")), process]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return {name: float(took) for name, _, took in (line.partition("\t") for line in said.splitlines())}


def lines(figures: dict[str, Any]) -> list[str]:
    """The same for people."""
    said = [
        f"  {name:<36}median {figures[key]['median']:6.0f} ms   min {figures[key]['least']:6.0f} ms"
        for name, key in (
            ("a Python that does nothing", "python_ms"),
            ("ndfd run, ready", "ready_ms"),
            ("ndfd run, first result", "first_result_ms"),
        )
    ]
    said.append(f"  first result by that Python: x {figures['first_result_by_python']['ratio']:.1f}")
    for name, each in figures["stages_ms"].items():
        said.append(f"    {name:<34}median {each['median']:6.1f} ms   min {each['least']:6.1f} ms")
    return ["start", *said]
