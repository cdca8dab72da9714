"""What people see: the table, and whether the presets hold what it says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ndfd.model.topology import ProcessLimits, Topology
from ndfd.model.tuning import Preset
from ndfd.tuning.process import DaemonWish, PoolWish, of_pools
from ndfd.tuning.wishes import PRESETS
from tests.bench.tuning.figures import Effect, Floor, Verdict, Worth, noise_floor
from tests.bench.tuning.trials import CHECK, NOT_TRIED, Trial

#: Which may hold no knob that is of no use.
JUDGED = (Preset.SAFE, Preset.THROUGHPUT)


class Result(NamedTuple):
    """What became of a trial."""

    trial: Trial
    #: None: it was not measured, for the reason.
    worth: Worth | None = None
    blocks: int = 0
    reason: str = ""

    def as_json(self, floor: Floor) -> dict[str, Any]:
        said: dict[str, Any] = {"name": self.trial.name, "knob": self.trial.knob, "note": self.trial.note}
        if self.worth is None:
            return {**said, "verdict": None, "reason": self.reason}
        wall, cpu = (effect.as_json() for effect in self.worth)
        return {**said, "verdict": self.worth.verdict(floor), "wall": wall, "cpu": cpu, "blocks": self.blocks}


def floor_of(results: Iterable[Result]) -> Floor:
    """How far from 1 an interval has to be, after what has shown nothing but noise."""
    return noise_floor(result.worth for result in results if result.trial.control and result.worth is not None)


def table(results: Sequence[Result]) -> str:
    """Markdown."""
    floor = floor_of(results)
    lines = ["| knob | time (95 % interval) | CPU time (95 % interval) | verdict | |", "|---|---|---|---|---|"]
    for trial, worth, _, reason in results:
        if worth is None:
            lines.append(f"| {trial.name} | | | not measured | {reason} |")
        else:
            verdict = "" if trial.knob == CHECK else worth.verdict(floor)
            lines.append(f"| {trial.name} | {_shown(worth.wall)} | {_shown(worth.cpu)} | {verdict} | {trial.note} |")
    lines += [f"| {knob} | | | not measured | {reason} |" for knob, reason in NOT_TRIED.items()]
    return "\n".join(lines)


class Held(NamedTuple):
    """A knob that a preset sets, and whether it was seen to help."""

    preset: Preset
    knob: str
    value: str
    #: None: it was not measured.
    verdict: Verdict | None

    @property
    def wrong(self) -> bool:
        """It was measured, and does not help."""
        return self.verdict in (Verdict.NONE, Verdict.LOSS)

    def __str__(self) -> str:
        judged = "not measured here" if self.verdict is None else self.verdict.value
        return f"preset {self.preset}: {self.knob} = {self.value}: {judged}"


def held(
    results: Sequence[Result],
    workers: int,
    limits: ProcessLimits,
    topology: Topology,
    presets: Mapping[Preset, Mapping[str, tuple[str, bool]]] = PRESETS,
) -> list[Held]:
    """Every knob of the judged presets that is there for speed."""
    floor = floor_of(results)
    verdicts = {
        (result.trial.knob, result.trial.value): None if result.worth is None else result.worth.verdict(floor)
        for result in results
    }
    return [
        Held(preset, knob, value, verdicts.get((knob, value)))
        for preset in JUDGED
        for knob, value in (
            *((knob, value) for knob, (value, _) in presets[preset].items()),
            *_of_processes(preset, workers, limits, topology),
        )
        if knob not in NOT_TRIED
    ]


def _of_processes(preset: Preset, workers: int, limits: ProcessLimits, topology: Topology) -> Iterator[tuple[str, str]]:
    """What a pool that nobody said anything of sets."""
    pool = of_pools(DaemonWish(preset), limits, {"default": PoolWish(None, workers)}, topology)["default"]
    # That workers may have huge pages undoes what the daemon has set for itself.
    yield from ((knob, value) for knob, value in pool.zygote.knobs if (knob, value) != ("huge_pages", "allowed"))
    if pool.places:
        yield "affinity", "worker"


def _shown(effect: Effect) -> str:
    return f"{effect.ratio:.3f} ({effect.low:.3f}-{effect.high:.3f})"
