"""`ndfd jobs list` and `ndfd jobs show` on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ndfd.cli.job_text import HEADINGS, facts, history_line, row
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobChange

STYLES = {
    JobState.RECEIVED: "dim",
    JobState.QUEUED: "yellow",
    JobState.RUNNING: "cyan",
    JobState.SUCCEEDED: "green",
    JobState.FAILED: "red",
    JobState.QUARANTINED: "bold red",
    JobState.CANCELLED: "dim",
}


def print_jobs(
    jobs: Sequence[Job], now: float, *, with_user: bool, header: bool, console: Console | None = None
) -> None:
    """Prints a line for each job; columns are as wide as they ever are, so that the next page stands below them."""
    console = console or Console()
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", show_header=header, width=console.width)
    table.add_column(HEADINGS.id, width=26, no_wrap=True)
    table.add_column(HEADINGS.state, width=11, no_wrap=True)
    table.add_column(HEADINGS.age, width=6, no_wrap=True, justify="right")
    table.add_column(HEADINGS.pages, width=9, no_wrap=True, justify="right")
    table.add_column(HEADINGS.runs, width=4, no_wrap=True, justify="right")
    if with_user:
        table.add_column(HEADINGS.user, width=8, no_wrap=True)
    table.add_column(HEADINGS.name, ratio=1, no_wrap=True, overflow="ellipsis")
    for job in jobs:
        line = row(job, now)
        # First what fits beside a long name: the reason of a failure is what one looks for.
        name = Text(f"{line.remark}  " if line.remark else "", style="dim").append(line.name, style="not dim")
        user = [line.user] if with_user else []
        table.add_row(line.id, Text(line.state, style=STYLES[job.state]), line.age, line.pages, line.runs, *user, name)
    console.print(table)


def print_job(job: Job, history: Sequence[JobChange], now: float, console: Console | None = None) -> None:
    """Prints all about one job, in colours."""
    console = console or Console()
    grid = Table.grid(padding=(0, 2))
    for label, text in facts(job, now):
        grid.add_row(Text(label, style="dim"), Text(text, style=STYLES[job.state] if label == "state" else ""))
    console.print(grid)
    if history:
        console.print()
    for change in history:
        console.print(Text(history_line(change)), soft_wrap=True)
