"""The benchmark of durable jobs: its parts of their own, and that it runs from end to end."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tests import documents
from tests.bench import jobs
from tests.bench.jobs import one_by_one
from tests.bench.jobs.submissions import Readings
from tests.bench.jobs.submitters import Sent, document, percentiles_ms
from tests.documents.engine import texts


def test_a_document_is_of_the_size_asked_for_and_reads_as_before_with_any_number() -> None:
    pdf = documents.two_columns()

    made = document(pdf, 8000)

    assert len(made) == 8000
    assert texts(made[:-12] + b"%012d" % 7) == texts(pdf)


def test_percentiles_are_readings_that_occurred() -> None:
    assert percentiles_ms([0.003, 0.001, 0.002]) == (2.0, 3.0)
    assert percentiles_ms([float(number) for number in range(1, 201)]) == (101_000.0, 199_000.0)


def test_submissions_are_compared_with_those_of_the_same_round() -> None:
    readings, alone = Readings(), Readings()
    readings.add(Sent(1.0, [0.01] * 200), daemon_cpu_s=0.1)
    readings.add(Sent(2.0, [0.03] * 200), daemon_cpu_s=0.1)
    alone.add(Sent(2.0, [0.01] * 200))
    alone.add(Sent(4.0, [0.01] * 200))

    figures = readings.as_json(alone, readings)

    assert figures["per_s"]["median"] == 150.0
    assert figures["by_one_by_one"]["ratio"] == 2.0
    assert figures["by_fewest_clients"]["ratio"] == 1.0
    assert figures["daemon_cpu_us"] == pytest.approx(500.0)
    assert (figures["acknowledged_p50_ms"], figures["acknowledged_p99_ms"]) == (30.0, 30.0)


def test_what_is_done_one_by_one_is_all_there(tmp_path: Path) -> None:
    sent = one_by_one.submit(tmp_path / "store", b"x" * 100, 3, 0)

    assert len(sent.acknowledged_s) == 3
    contents = sorted(path.read_bytes() for path in (tmp_path / "store").iterdir() if "." not in path.name)
    assert contents == [b"x" * 88 + b"%012d" % number for number in range(3)]


def test_an_unknown_part_is_refused_by_name() -> None:
    with pytest.raises(SystemExit, match="no part memory: there are submissions, worker, growth"):
        jobs.run(argparse.Namespace(only="memory"))


@pytest.mark.slow
def test_every_part_measures_something(tmp_path: Path) -> None:
    asked = argparse.Namespace(rounds=1, clients="1,8", sizes="8", jobs=1000)

    figures = jobs.measure(asked, ["submissions", "worker", "growth"], tmp_path)

    eight = figures["submissions"]["8 KB"]
    for state in ("idle", "busy"):
        assert [reading["by_one_by_one"]["ratio"] > 0 for reading in eight[state].values()] == [True] * 3
    assert figures["worker"]["to_end_p50_ms"] > figures["worker"]["to_worker_p50_ms"] > 0
    assert list(figures["growth"]["rss_bytes"]) == ["0", "200", "500", "1000"]
    assert figures["growth"]["ready_s"] > 0
    assert len(jobs.lines(figures)) > 10
