"""The benchmark of the swarm: its figures, and that it runs from end to end."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tests.bench import swarm
from tests.bench.selection import ROOT
from tests.bench.swarm import startup
from tests.bench.swarm.child import Child
from tests.bench.swarm.figures import Batch, Comparison, Spread, per_document_ms, rotated


def test_a_spread_names_readings_that_occurred() -> None:
    assert Spread.of([5.0, 1.0, 3.0]) == Spread(3, 3.0, 5.0, 1.0, 5.0)
    assert Spread.of([float(number) for number in range(1, 101)]).p95 == 95.0
    assert Spread.of([7.0]) == Spread(1, 7.0, 7.0, 7.0, 7.0)


def test_sides_are_compared_within_each_round_so_that_a_slow_round_does_not_count_against_one() -> None:
    ours, theirs = [9.0, 90.0, 4.5], [10.0, 100.0, 5.0]

    assert Comparison.of(ours, theirs) == Comparison(0.9, 0.9, 0.9)


def test_cpu_is_counted_by_document() -> None:
    batches = [Batch(10, 1.0, worker_s=0.1), Batch(10, 1.0, worker_s=0.3), Batch(10, 1.0, worker_s=0.2)]

    assert per_document_ms(batches, "worker_s") == pytest.approx(20.0)
    assert batches[0].per_s == 10.0


def test_lanes_begin_at_different_documents_and_have_all_of_them() -> None:
    assert rotated([1, 2, 3, 4], 2) == [3, 4, 1, 2]
    assert rotated([1, 2, 3], 4) == [2, 3, 1]


def test_a_process_that_ends_instead_of_answering_is_named() -> None:
    with Child("convert_directly") as child:
        child.tell(paths=["/nowhere/at/all.pdf"])
        with pytest.raises(SystemExit, match="convert_directly ended with status 1"):
            child.hear()


def test_an_unknown_part_is_refused_by_name() -> None:
    with pytest.raises(SystemExit, match="no part starting: there are cost"):
        swarm.run(argparse.Namespace(only="starting"))


@pytest.mark.slow
def test_every_part_measures_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The start's part has bytecode written; the daemons of other tests are not to see that.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    asked = argparse.Namespace(corpus=ROOT / "examples", documents=2, workers=1, rounds=1, pages=600)
    parts = ["cost", "startup", "ends", "attack"]

    figures = swarm.measure(asked, parts, tmp_path)

    for load in figures["cost"]["loads"].values():
        assert load["by_bare"]["daemon 1"]["ratio"] > 0
        assert load["cpu_ms_per_document"]["daemon 1"]["conversion_s"] > 0
    assert figures["startup"]["first_result_ms"]["median"] > figures["startup"]["ready_ms"]["median"]
    assert {name.partition(":")[0] for name in figures["startup"]["stages_ms"]} == set(startup.STAGES)
    assert all(figures["ends"][name]["count"] == 4 for name in ("replaced_ready_ms", "overshoot_idle_ms", "spawn_ms"))
    assert figures["attack"]["workers_ended"] > 0
    assert len(swarm.lines(figures, asked.workers)) > len(parts)
