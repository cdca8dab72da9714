"""The scorer's figures as a table by source: pure functions of values."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

#: The scorer's names of the figures that are shown, in the order of the columns.
FIGURES = (
    "nid",
    "nid_plain",
    "order",
    "h_f1",
    "lvl_acc",
    "teds",
    "adj_f1",
    "eq_f1",
    "value_recall",
    "rob_done",
    "rob_opened",
    "rob_word_recall",
    "rob_pw_opened",
)


def score_table(sources: Mapping[str, str], figures: Mapping[str, Mapping[str, Any]]) -> str:
    """One line for each source: the mean of every figure over its documents, "-" where its truth has none.

    `sources` says of which source a document is, `figures` what the scorer found for it.
    """
    names = [name for name in FIGURES if any(name in figures[document] for document in sources)]
    width = max(len(source) for source in sources.values()) + 2
    lines = ["source".ljust(width) + "docs" + "".join(f"{name:>{_column(name)}}" for name in names)]
    for source in sorted(set(sources.values())):
        own = [figures[document] for document, of in sources.items() if of == source]
        cells = "".join(f"{_mean(own, name):>{_column(name)}}" for name in names)
        lines.append(f"{source:<{width}}{len(own):4d}{cells}")
    wrong = [f"{document}: {row['SCORING_ERROR']}" for document, row in figures.items() if "SCORING_ERROR" in row]
    return "\n".join([*lines, *wrong])


def _column(name: str) -> int:
    return max(8, len(name) + 2)


def _mean(rows: list[Mapping[str, Any]], name: str) -> str:
    values = [row[name] for row in rows if row.get(name) is not None]
    return f"{statistics.fmean(values):.3f}" if values else "-"
