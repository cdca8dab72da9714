"""What people see of a benchmark: its progress and the table of a comparison."""

from __future__ import annotations

import sys

from tests.bench.engines import engine
from tests.bench.figures import Summary


def progress(done: int, total: int, what: str) -> None:
    """Says on stderr how far it is: one line that moves on a terminal, a line for every tenth otherwise."""
    if sys.stderr.isatty():
        print(f"{done}/{total} {what}", end="\n" if done == total else "\r", file=sys.stderr)
    elif done == total or done % max(1, total // 10) == 0:
        print(f"{done}/{total} {what}", file=sys.stderr)


def table(summary: Summary) -> str:
    """The figures of every engine, and the documents that do not count."""
    if not summary.engines:
        return "No document was read by every engine.\n" + _left_out(summary)
    first = summary.engines[0].name
    head = f"{'engine':<20}{'gives':<27}{'CPU ms/page':>12}{'pages/s/core':>14}{'x ' + first:>13}"
    head += f"{'by document':>22}{'peak MB':>9}"
    rows = [
        f"{row.name:<20}{engine(row.name).does:<27}{row.cpu_ms_per_page:>12.3f}{row.pages_per_s:>14.0f}{row.ratio:>13.2f}"
        f"{_quartiles(row.ratio_quartiles):>22}{row.rss_max_bytes / 1e6:>9.0f}"
        for row in summary.engines
    ]
    count = f"{summary.documents} documents, {summary.pages} pages; by document: median of the ratios (quartiles)"
    return "\n".join([head, "-" * len(head), *rows, "", count, _left_out(summary)]).rstrip()


def _quartiles(quartiles: tuple[float, float, float]) -> str:
    low, middle, high = quartiles
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def _left_out(summary: Summary) -> str:
    lines = [f"  {document}: {name}: {reason}" for document, name, reason in summary.left_out]
    return "\n".join([f"left out, not read by every engine: {len({row[0] for row in summary.left_out})}", *lines])
