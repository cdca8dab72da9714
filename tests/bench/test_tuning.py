"""What a knob is worth follows from paired readings; what is set for that is put back whatever happens."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.model.topology import Cpu, ProcessLimits, Topology
from ndfd.model.tuning import Preset
from ndfd.testing import FakeKernel
from ndfd.tuning.catalogue import KNOBS
from ndfd.tuning.journal import read_changes
from ndfd.tuning.plan import boot_id
from tests import documents
from tests.bench.selection import ROOT
from tests.bench.tuning import chosen
from tests.bench.tuning.figures import Block, Effect, Floor, Reading, Verdict, Worth, effect, noise_floor
from tests.bench.tuning.report import Result, floor_of, held, table
from tests.bench.tuning.system_knobs import SystemKnobs, Unsettable
from tests.bench.tuning.trials import CHECK, NOT_ON_THE_WAY, NOT_TRIED, TRIALS, Side, Trial
from tests.bench.tuning.work import Work

_SWAPPINESS = "/proc/sys/vm/swappiness"


def worth(wall: float, cpu: float, noise: float = 0.002, blocks: int = 20) -> Worth:
    """Of readings that are so much of the others, but for some noise."""
    chance = random.Random(7)

    def reading(of_wall: float = 1.0, of_cpu: float = 1.0) -> Reading:
        return Reading(of_wall * chance.gauss(1, noise), of_cpu * chance.gauss(1, noise))

    return Worth.of([Block((reading(), reading()), (reading(wall, cpu), reading(wall, cpu))) for _ in range(blocks)])


def test_a_machine_that_becomes_slower_evenly_is_slower_for_both_sides() -> None:
    times = [1.0, 1.5, 2.0, 2.5]
    off, on = (times[0], times[3]), (times[1], times[2])
    block = Block((Reading(off[0], 1), Reading(off[1], 1)), (Reading(on[0], 1), Reading(on[1], 1)))
    assert block.wall == 1.0


def test_the_interval_holds_the_median_and_grows_with_the_noise() -> None:
    calm, noisy = worth(0.9, 0.9).wall, worth(0.9, 0.9, noise=0.1).wall
    assert calm.low <= calm.ratio <= calm.high
    assert abs(calm.ratio - 0.9) < 0.01
    assert noisy.high - noisy.low > 5 * (calm.high - calm.low)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    chance = random.Random(11)
    held_it = sum(
        (found := effect([chance.gauss(1, 0.05) for _ in range(12)])).low <= 1 <= found.high for _ in range(100)
    )
    # 95 of 100 by right; the percentile bootstrap of a median of twelve errs on both sides of that.
    assert 88 <= held_it <= 98


@pytest.mark.parametrize(
    ("wall", "cpu", "verdict"),
    [
        (0.9, 1.0, Verdict.GAIN),
        (1.0, 0.9, Verdict.GAIN),
        (0.9, 1.1, Verdict.LOSS),
        (1.1, 1.0, Verdict.LOSS),
        (1.0, 1.0, Verdict.NONE),
        (0.998, 0.998, Verdict.NONE),
    ],
)
def test_a_gain_in_one_time_that_costs_the_other_is_none(wall: float, cpu: float, verdict: Verdict) -> None:
    assert worth(wall, cpu).verdict(Floor()) is verdict


def test_a_median_below_one_is_no_gain_while_its_interval_is_not() -> None:
    assert Effect(0.97, 0.90, 1.02).verdict(0.005) is Verdict.NONE
    assert Effect(0.97, 0.95, 0.99).verdict(0.005) is Verdict.GAIN


def test_what_is_no_more_than_the_same_work_beside_itself_is_no_gain() -> None:
    floor = noise_floor([worth(1.0, 0.96)])
    assert floor.cpu > 0.035
    assert worth(1.0, 0.97).verdict(Floor()) is Verdict.GAIN
    assert worth(1.0, 0.97).verdict(floor) is Verdict.NONE
    assert worth(1.0, 0.90).verdict(floor) is Verdict.GAIN


def test_every_knob_that_there_is_has_a_line() -> None:
    tried = {trial.knob for trial in TRIALS} | set(NOT_TRIED)
    assert set(KNOBS) <= tried
    assert set(platform.process.knobs()) <= tried
    assert not {trial.knob for trial in TRIALS} & set(NOT_TRIED)


def test_every_value_of_a_preset_that_is_there_for_speed_has_a_trial() -> None:
    kept = held([], 2, ProcessLimits(), Topology((Cpu(0), Cpu(1))))
    tried = {(trial.knob, trial.value) for trial in TRIALS}
    assert {(each.knob, each.value) for each in kept} <= tried
    assert not any(each.wrong for each in kept)


def test_a_preset_with_a_knob_that_was_seen_to_be_of_no_use_is_wrong() -> None:
    presets = {
        Preset.SAFE: {"swappiness": ("10", False)},
        Preset.THROUGHPUT: {"swappiness": ("10", False), "zone_reclaim_mode": ("0", False)},
    }
    trials = {(trial.knob, trial.value): trial for trial in TRIALS}
    results = [
        Result(trials["swappiness", "10"], worth(1.0, 1.0), 20),
        Result(trials["zone_reclaim_mode", "0"], worth(0.9, 0.9), 20),
    ]
    kept = held(results, 2, ProcessLimits(), Topology((Cpu(0), Cpu(1))), presets)
    assert [(each.preset, each.knob, each.wrong) for each in kept if each.knob in KNOBS] == [
        (Preset.SAFE, "swappiness", True),
        (Preset.THROUGHPUT, "swappiness", True),
        (Preset.THROUGHPUT, "zone_reclaim_mode", False),
    ]


def test_the_table_has_the_checks_without_a_verdict_and_says_why_something_is_missing() -> None:
    results = [
        Result(Trial("A/A", CHECK), worth(1.0, 1.0), 20),
        Result(Trial("swappiness 60 -> 10", "swappiness"), worth(0.9, 0.9), 20),
        Result(Trial("cpu_governor", "cpu_governor"), reason="this machine has none"),
    ]
    lines = table(results).splitlines()
    assert lines[2].endswith("|  |  |")
    assert "| gain |" in lines[3]
    assert lines[4] == "| cpu_governor | | | not measured | this machine has none |"
    inert = Result(Trial("somaxconn", "somaxconn", note=NOT_ON_THE_WAY), worth(0.8, 1.0), 20)
    assert floor_of([*results, inert]).wall > 0.15


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    root = tmp_path / "root"
    root.mkdir()
    return FakeKernel(root)


def test_what_was_set_is_put_back_when_the_block_is_left_by_an_error(kernel: FakeKernel, tmp_path: Path) -> None:
    before, journal = kernel.snapshot(), tmp_path / "journal"

    def measured_until_it_is_stopped() -> None:
        with SystemKnobs(kernel, journal) as system:
            system.set("swappiness", "10")
            system.set("transparent_hugepages", "madvise")
            system.set("swappiness", "60")
            system.set("swappiness", "10")
            assert kernel.read(_SWAPPINESS) == "10\n"
            # As `ndfd tune revert` finds it after a SIGKILL.
            assert len(read_changes(journal, boot_id(kernel))) == 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured_until_it_is_stopped()
    assert kernel.snapshot() == before
    assert not read_changes(journal, boot_id(kernel))


def test_what_is_tuned_already_is_left_alone(kernel: FakeKernel, tmp_path: Path) -> None:
    with SystemKnobs(kernel, tmp_path / "journal") as first:
        first.set("swappiness", "10")
        with SystemKnobs(kernel, tmp_path / "journal") as second, pytest.raises(Unsettable, match="tuned already"):
            second.set("swappiness", "20")
        assert kernel.read(_SWAPPINESS) == "10\n"


def test_a_value_that_is_refused_ends_its_trial_and_no_more(kernel: FakeKernel, tmp_path: Path) -> None:
    kernel.refuse_write(_SWAPPINESS, 1)
    with SystemKnobs(kernel, tmp_path / "journal") as system, pytest.raises(Unsettable, match="denied"):
        system.set("swappiness", "10")


def test_both_sides_of_a_block_convert_the_same_documents(
    kernel: FakeKernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pages in (1, 2, 40):
        (tmp_path / f"{pages}.pdf").write_bytes(documents.numbered_pages(pages))
    (tmp_path / "bad.pdf").write_bytes(documents.not_a_pdf())
    own = Trial("all at once", "all", on=Side(knobs=(("nice", "1"), ("scheduling", "batch")), buffer="madvise"))
    unknown = Trial("none", "none", on=Side(knobs=(("no_such_knob", "1"),)))
    with SystemKnobs(kernel, tmp_path / "journal") as system, Work(1, system) as work:
        work.choose(tmp_path, None, budget_s=1e9)
        assert sorted(Path(path).name for path in work.paths) == ["1.pdf", "2.pdf", "40.pdf"]
        asked: list[Side] = []
        turn = work.turn

        def noted(side: Side) -> Reading:
            asked.append(side)
            return turn(side)

        monkeypatch.setattr(work, "turn", noted)
        block = work.block(own)
        assert asked == [own.off, own.on, own.on, own.off]
        assert all(reading.cpu_s > 0 and reading.wall_s > 0 for reading in (*block.off, *block.on))
        with pytest.raises(Unsettable, match="unsupported"):
            work.block(unknown)


def test_the_documents_fit_into_the_time_that_there_is(kernel: FakeKernel, tmp_path: Path) -> None:
    for pages in (1, 2, 200):
        (tmp_path / f"{pages}.pdf").write_bytes(documents.numbered_pages(pages))
    with SystemKnobs(kernel, tmp_path / "journal") as system, Work(1, system) as work:
        work.choose(tmp_path, None, budget_s=0.0)
        assert len(work.paths) == 1


def test_only_what_is_asked_for_is_tried_and_always_the_checks() -> None:
    assert {trial.knob for trial in chosen(["swappiness"])} == {CHECK, "swappiness"}
    assert chosen([]) == list(TRIALS)
    with pytest.raises(SystemExit, match="oom_score: not for speed"):
        chosen(["oom_score"])
    with pytest.raises(SystemExit, match="no such knob"):
        chosen(["swapiness"])


@pytest.mark.slow
def test_from_the_command_line_it_ends_with_figures(tmp_path: Path) -> None:
    (tmp_path / "one.pdf").write_bytes(documents.numbered_pages(1))
    bench = [sys.executable, "-m", "tests.bench", "tuning", "--corpus", str(tmp_path)]
    command = [*bench, "--rounds", "6", "--turn", "0.01", "--only", "scheduling", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert [trial["knob"] for trial in figures["trials"]] == ["A/A", "A/A", "scheduling", "scheduling"]
    assert all(trial["cpu"]["low"] <= trial["cpu"]["ratio"] <= trial["cpu"]["high"] for trial in figures["trials"])
