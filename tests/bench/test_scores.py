"""The table of scores has a line for each source and the mean of what its documents have."""

from __future__ import annotations

from tests.bench.scores import score_table


def test_each_source_has_its_means_and_a_dash_where_it_has_no_truth() -> None:
    sources = {"a": "papers", "b": "papers", "c": "torture"}
    figures = {"a": {"nid": 0.5}, "b": {"nid": 1.0, "teds": 0.25}, "c": {"rob_done": 1.0}}
    head, papers, torture = score_table(sources, figures).splitlines()
    assert head.split() == ["source", "docs", "nid", "teds", "rob_done"]
    assert papers.split() == ["papers", "2", "0.750", "0.250", "-"]
    assert torture.split() == ["torture", "1", "-", "-", "1.000"]


def test_an_error_of_the_scorer_is_shown() -> None:
    assert "a: KeyError: x" in score_table({"a": "papers"}, {"a": {"nid": 1.0, "SCORING_ERROR": "KeyError: x"}})
