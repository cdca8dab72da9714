"""`ndfd jobs watch` on a terminal: a bar for all jobs, one for each that runs, and a line for each that ends."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from ndfd.cli.job_text import change_line, name_of
from ndfd.cli.jobs_table import STYLES
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job

#: Running jobs that have a bar of their own; more would scroll.
_BARS_MAX = 8
_NAME_MAX_CHARACTERS = 32


class JobsBar:
    """It disappears at the end, the lines stay."""

    def __init__(self, jobs: int) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[done]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            redirect_stdout=False,
        )
        self._lock = threading.Lock()
        self._states: dict[str, JobState] = {}
        self._bars: dict[str, TaskID] = {}
        self._all = self._progress.add_task("jobs", total=jobs, done=f"0/{jobs}", visible=jobs > 1)
        self._jobs = jobs

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def changed(self, job: Job) -> None:
        """A job is as it is now."""
        with self._lock:
            known = self._states.get(job.id)
            self._states[job.id] = job.state
            if job.state is JobState.RUNNING:
                self._update(job)
            elif (bar := self._bars.pop(job.id, None)) is not None:
                self._progress.remove_task(bar)
            if job.state is not known:
                self._count()
        if job.state.is_final:
            line = change_line(job, time.time())
            self._console.print(Text(line, style=STYLES[job.state]), highlight=False, soft_wrap=True)

    def say(self, line: str) -> None:
        """Prints a line above the bars."""
        self._console.print(escape(line), highlight=False, soft_wrap=True)

    def _update(self, job: Job) -> None:
        done = f"{job.pages_done or 0}/{job.pages} pages" if job.pages is not None else "begins"
        bar = self._bars.get(job.id)
        if bar is not None:
            self._progress.update(bar, completed=job.pages_done or 0, total=job.pages, done=done)
        elif len(self._bars) < _BARS_MAX:
            name = escape(name_of(job)[:_NAME_MAX_CHARACTERS])
            self._bars[job.id] = self._progress.add_task(
                name, completed=job.pages_done or 0, total=job.pages, done=done
            )

    def _count(self) -> None:
        states = list(self._states.values())
        ended = sum(state.is_final for state in states)
        parts = [
            f"{ended}/{self._jobs}",
            *(
                f"{count} {state.value}"
                for state in JobState
                if state is not JobState.SUCCEEDED and (count := states.count(state))
            ),
        ]
        self._progress.update(self._all, completed=ended, done=", ".join(parts))
