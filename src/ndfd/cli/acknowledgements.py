"""Which job each document has become, as the user is told: in the order of the arguments, and every one of them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
import msgspec

from ndfd.cli.inputs import Input
from ndfd.cli.outcome import Failed, Reporter
from ndfd.cli.progress import Progress
from ndfd.model.jobs import Submission

#: Documents that were there before are named one by one up to so many.
_REUSED_NAMED = 5


@dataclass(frozen=True, slots=True)
class Submitted:
    """A document that is on the daemon's disk."""

    document: Input
    submission: Submission
    #: It was sent again after the connection broke: that it was there before may be our own doing.
    resent: bool

    @property
    def was_there(self) -> bool:
        """Whether it was submitted before."""
        return self.submission.reused and not self.resent


class Acknowledgements:
    """Those of one run of the command. Whatever the daemon has acknowledged is told, also when the command is ended."""

    def __init__(
        self, reporter: Reporter, progress: Progress, say_job: Callable[[Submitted], None], *, remarks: bool
    ) -> None:
        """`say_job` tells the job of a document; with `remarks` it is also said which were submitted before."""
        self._reporter = reporter
        self._progress = progress
        self._say_job = say_job
        self._remarks = remarks
        self._lock = threading.Lock()
        self._untold: dict[int, Submitted | Failed] = {}
        self.submitted = 0
        self.reused = 0

    def note(self, number: int, answer: Submitted | Failed) -> None:
        """What became of the document of this number; any thread may say so, before it is told."""
        with self._lock:
            self._untold[number] = answer

    def tell(self, number: int) -> Submitted | Failed:
        """Tells what became of this document."""
        with self._lock:
            answer = self._untold.pop(number)
        if isinstance(answer, Failed):
            self._reporter.take(answer, self._progress)
        else:
            self.submitted += 1
            self._say_job(answer)
            if answer.was_there:
                self._tell_reused(answer)
        return answer

    def tell_rest(self) -> None:
        """Tells all that is not told yet, though something before it is not known."""
        with self._lock:
            numbers = sorted(self._untold)
        for number in numbers:
            self.tell(number)

    def _tell_reused(self, answer: Submitted) -> None:
        self.reused += 1
        if not self._remarks or self.reused > _REUSED_NAMED:
            return
        job = answer.submission.job
        self._progress.say(f"ndfd: {answer.document.shown}: was submitted before: job {job.id}, {job.state.value}")
        if self.reused == _REUSED_NAMED:
            self._progress.say("ndfd: further ones that were submitted before are only counted")


def say_id(progress: Progress) -> Callable[[Submitted], None]:
    """Ids on stdout, one a line."""
    echo = _line_on_stdout(progress)
    return lambda answer: echo(answer.submission.job.id)


def say_object(progress: Progress) -> Callable[[Submitted], None]:
    """One JSON object a line on stdout."""
    echo = _line_on_stdout(progress)
    return lambda answer: echo(msgspec.json.encode(as_object(answer)).decode())


def say_remark(progress: Progress) -> Callable[[Submitted], None]:
    """A line on stderr for each: stdout is for the results."""

    def say(answer: Submitted) -> None:
        job = answer.submission.job
        before = f", {job.state.value}, submitted before" if answer.was_there else ""
        progress.say(f"ndfd: {answer.document.shown}: is job {job.id}{before}")

    return say


def say_nothing(answer: Submitted) -> None:
    """It is told in another way."""


def as_object(answer: Submitted) -> dict[str, Any]:
    """A document and its job, for programs."""
    return {"file": answer.document.shown, "job": answer.submission.job, "reused": answer.submission.reused}


def _line_on_stdout(progress: Progress) -> Callable[[str], None]:
    if sys.stdout.isatty() and sys.stderr.isatty():
        # One terminal for both: above the bar, not into it.
        return progress.say
    return click.echo
