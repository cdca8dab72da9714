"""The figures of a comparison follow from the readings."""

from __future__ import annotations

from tests.bench.figures import Reading, summarise
from tests.bench.report import table


def test_of_two_readings_the_faster_counts_and_a_failure_wins() -> None:
    slow, fast, failed = Reading(cpu_s=2.0, pages=1), Reading(cpu_s=1.0, pages=1), Reading(reason="damaged")
    assert slow.faster(fast) == fast
    assert fast.faster(slow) == fast
    assert fast.faster(None) == fast
    assert fast.faster(failed) == failed
    assert failed.faster(fast) == failed


def test_a_document_that_one_engine_cannot_read_counts_for_none() -> None:
    readings = {
        "pypdfium2": {"a": Reading(1.0, 10), "b": Reading(5.0, 10)},
        "pymupdf": {"a": Reading(2.0, 10), "b": Reading(reason="damaged")},
    }
    summary = summarise(["pypdfium2", "pymupdf"], readings)
    assert (summary.documents, summary.pages) == (1, 10)
    assert summary.left_out == (("b", "pymupdf", "damaged"),)
    assert summary.engines[1].ratio == 2.0
    assert summary.engines[1].cpu_ms_per_page == 200.0
    assert summary.engines[1].pages_per_s == 5.0


def test_the_ratio_of_totals_and_the_median_over_documents_differ() -> None:
    readings = {
        "pypdfium2": {"long": Reading(10.0, 100), "short": Reading(1.0, 1), "brief": Reading(1.0, 1)},
        "pymupdf": {"long": Reading(10.0, 100), "short": Reading(3.0, 1), "brief": Reading(3.0, 1)},
    }
    figures = summarise(["pypdfium2", "pymupdf"], readings).engines[1]
    assert figures.ratio == 16 / 12
    assert figures.ratio_quartiles[1] == 3.0


def test_the_table_names_what_was_left_out_even_when_nothing_counts() -> None:
    summary = summarise(["pypdfium2"], {"pypdfium2": {"a": Reading(reason="took more than 20 s")}})
    assert "a: pypdfium2: took more than 20 s" in table(summary)


def test_an_answer_over_the_limit_becomes_a_reading_without_a_time() -> None:
    reading = Reading.of({"limited": 20.0})
    assert reading.cpu_s is None
    assert reading.reason == "took more than 20 s"
