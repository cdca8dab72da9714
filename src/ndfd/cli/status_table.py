"""`ndfd status` on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ndfd.cli.status import duration, head, memory, pools, work
from ndfd.model.status import DaemonStatus, WorkerState

_STYLES = {
    WorkerState.STARTING: "yellow",
    WorkerState.IDLE: "green",
    WorkerState.BUSY: "cyan",
    WorkerState.DRAINING: "blue",
    WorkerState.DYING: "yellow",
    WorkerState.DEAD: "red",
}


def print_status(answer: DaemonStatus, console: Console | None = None) -> None:
    """Prints the daemon's facts, a table of its workers, and its warnings, in colours."""
    console = console or Console()
    facts = Table.grid(padding=(0, 2))
    for label, text in head(answer):
        facts.add_row(Text(label, style="dim"), Text(text))
    for name, text in pools(answer):
        facts.add_row(Text(f"pool {name}", style="dim"), Text(text))
    console.print(facts)
    workers = Table(
        *("worker", "pool", "role", "pid", "state", "served", "memory", "up", "works on"),
        box=None,
        padding=(0, 2),
        header_style="dim",
    )
    for worker in answer.workers:
        workers.add_row(
            str(worker.id),
            Text(worker.pool),
            Text(worker.role),
            str(worker.pid),
            Text(worker.state.value, style=_STYLES[worker.state]),
            str(worker.served),
            memory(worker.rss_bytes),
            duration(worker.age_s),
            Text(work(worker)),
        )
    console.print()
    console.print(workers)
    for warning in answer.warnings:
        console.print(Text("warning: ", style="bold yellow").append(warning, style="not bold default"))
