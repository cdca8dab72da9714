"""What became of each document, and how the user is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import msgspec

from ndfd.cli.endings import one_line
from ndfd.cli.inputs import Input
from ndfd.cli.progress import Progress
from ndfd.client import Conversion
from ndfd.errors import NdfdError
from ndfd.model.conversion import ConversionReport, PageReport
from ndfd.model.jobs import Submission
from ndfd.model.printable import printable

#: Bad pages that are named one by one.
_PAGES_NAMED = 5


@dataclass(frozen=True, slots=True)
class Done:
    """A document that gave a result."""

    shown: str
    document: Input
    conversion: Conversion
    report: ConversionReport
    #: From the call to the result.
    duration_s: float
    #: The file that holds the result, once it is written.
    output: Path | None = None
    #: The one that did it, where it was submitted.
    submission: Submission | None = None

    def at(self, output: Path) -> Done:
        """The same, written."""
        return replace(self, output=output)


@dataclass(frozen=True, slots=True)
class Failed:
    """A document that gave none."""

    shown: str
    error: NdfdError
    submission: Submission | None = None


Outcome = Done | Failed


class Reporter:
    """Tells what became of each document: lines on stderr, with `as_json` also one object each on stdout."""

    def __init__(self, as_json: bool, quiet: bool) -> None:
        self._as_json = as_json
        self._quiet = quiet
        self.failures: list[NdfdError] = []
        self._documents = 0
        self._partial = 0
        self._pages = 0

    def take(self, outcome: Outcome, progress: Progress) -> None:
        """Reports one document."""
        self._documents += 1
        if isinstance(outcome, Failed):
            self.failures.append(outcome.error)
            progress.say(f"ndfd: {one_line(outcome.error, outcome.shown)}")
        else:
            self._pages += outcome.report.pages
            bad = outcome.report.pages_partial + outcome.report.pages_failed
            self._partial += bad > 0
            if bad and not self._quiet:
                progress.say(f"ndfd: {partial_line(outcome)}")
        if self._as_json:
            click.echo(msgspec.json.encode(_as_object(outcome)))

    def summary(self, duration_s: float) -> None:
        """One line on stderr."""
        if self._quiet:
            return
        rate = self._pages / duration_s if duration_s > 0 else 0.0
        line = f"ndfd: {self._documents - len(self.failures)} of {self._documents} documents"
        line += f", {self._pages} pages in {duration_s:.1f} s ({rate:.0f} pages/s)"
        if self._partial:
            line += f"; {self._partial} partial"
        if self.failures:
            line += f"; {len(self.failures)} failed"
        click.echo(line, err=True)


def partial_line(done: Done) -> str:
    """Which pages of a document are not whole, and why."""
    report = done.report
    named = [_page(problem) for problem in report.problems[:_PAGES_NAMED]]
    more = report.pages_partial + report.pages_failed - len(named)
    if more > 0:
        named.append(f"{more} more")
    return printable(f"{done.shown}: partial: {'; '.join(named)}")


def _page(problem: PageReport) -> str:
    reasons = ", ".join(problem.reasons) or "no reason given"
    return f"page {problem.number} {problem.status.value} ({reasons})"


def error_as_object(error: NdfdError) -> dict[str, Any]:
    """An error, for programs."""
    return {
        "code": error.code,
        "message": str(error),
        "hint": error.hint,
        "retryable": error.retryable,
        "page": error.page,
    }


def _as_object(outcome: Outcome) -> dict[str, Any]:
    submitted = outcome.submission
    job = {} if submitted is None else {"job": submitted.job, "reused": submitted.reused}
    if isinstance(outcome, Failed):
        return {"file": outcome.shown, **job, "error": error_as_object(outcome.error)}
    return {
        "file": outcome.shown,
        **job,
        "output": str(outcome.output),
        "duration_s": round(outcome.duration_s, 4),
        "report": outcome.report,
    }
