"""The work of a turn: real documents, converted by as many workers at once as there are CPUs."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ndfd import platform
from ndfd.tuning import placement
from tests.bench.selection import NOT_FOR_SPEED, ROOT, default_corpus, samples
from tests.bench.swarm.child import Child
from tests.bench.swarm.figures import rotated
from tests.bench.tuning.figures import Block, Reading
from tests.bench.tuning.system_knobs import SystemKnobs, Unsettable
from tests.bench.tuning.trials import Side, Trial

#: Documents of a corpus that are looked at: reading all of them would take longer than the measurement.
_LOOKED_AT = 60


def corpus_folder(named: Path) -> Path:
    """The one that is asked for; the examples where nobody asked and there is no corpus."""
    return ROOT / "examples" if named == default_corpus() and not named.is_dir() else named


class Work:
    """The documents and the zygotes, for the length of a block."""

    def __init__(self, workers: int, system: SystemKnobs) -> None:
        self._workers = workers
        self._system = system
        self._stack = contextlib.ExitStack()
        self._zygotes: dict[tuple[str, int], Child] = {}
        self._places = placement.of_workers(platform.process.topology(), {"default": placement.Demand(None, workers)})[
            "default"
        ]
        self.paths: list[str] = []
        #: CPU seconds that one worker takes for all of them.
        self.cpu_s = 0.0

    def __enter__(self) -> Work:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def choose(self, folder: Path, count: int | None, budget_s: float) -> None:
        """Of a folder's documents, evenly chosen, as many as a worker converts in that CPU time, and at least one."""
        found = [str(sample.path) for sample in samples(folder, count or _LOOKED_AT, NOT_FOR_SPEED)]
        # The first time, what was not used before is loaded.
        self._zygote(Side()).ask(what="costs", paths=found)
        costs = self._zygote(Side()).ask(what="costs", paths=found)["cpu_s"]
        good = sorted((cost, path) for path, cost in zip(found, costs, strict=True) if cost is not None)
        if not good:
            raise SystemExit(f"scripts/bench: no document of {folder} can be converted")
        fitting = [(cost, path) for cost, path in good if cost <= budget_s] or good[:1]
        # From both ends by turns: small ones and large ones.
        while fitting and (not self.paths or self.cpu_s + fitting[0][0] <= budget_s):
            cost, path = fitting.pop(-1 if len(self.paths) % 2 and self.cpu_s + fitting[-1][0] <= budget_s else 0)
            self.paths.append(path)
            self.cpu_s += cost

    def block(self, trial: Trial) -> Block:
        """Off, on, on, off. `Unsettable` where a side cannot be had here."""
        first, *on, last = (self.turn(side) for side in (trial.off, trial.on, trial.on, trial.off))
        return Block((first, last), (on[0], on[1]))

    def turn(self, side: Side) -> Reading:
        """The documents once by each worker, each of which has converted all of them before."""
        for knob, value in side.system:
            self._system.set(knob, value)
        lanes = [{"paths": rotated(self.paths, lane), "knobs": knobs} for lane, knobs in enumerate(self._knobs(side))]
        answer = self._zygote(side).ask(what="turn", lanes=lanes, buffer=side.buffer)
        if "failed" in answer:
            raise Unsettable(answer["failed"])
        return Reading(answer["wall_s"], answer["cpu_s"])

    def _knobs(self, side: Side) -> Sequence[Sequence[Any]]:
        """Of each worker."""
        if not side.own_cpu:
            return [side.knobs] * self._workers
        return [[*side.knobs, ("affinity", str(cpu.number))] for cpu in self._places]

    def _zygote(self, side: Side) -> Child:
        key = (side.tunables, side.zygote)
        if key not in self._zygotes:
            child = Child("convert_forked", package="tuning", environment={"GLIBC_TUNABLES": side.tunables})
            self._zygotes[key] = self._stack.enter_context(child)
        return self._zygotes[key]
