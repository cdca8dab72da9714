"""Waits for jobs that were submitted, and puts their results where they belong."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

from ndfd.cli.inputs import Input
from ndfd.cli.job_text import failure
from ndfd.cli.outcome import Done, Failed, Outcome, Reporter
from ndfd.cli.outputs import FolderOutput, StreamOutput, sync_folders
from ndfd.cli.patience import Patience, PatientConnection, time_may_mend
from ndfd.cli.progress import Progress
from ndfd.cli.watcher import Gone, Watcher
from ndfd.errors import JobNotFinished, NdfdError
from ndfd.model.jobs import Job, Submission


class _Waiting(NamedTuple):
    document: Input
    submission: Submission
    #: When it was submitted, on the monotonic clock.
    begun: float


class Collector:
    """One run's results, for the length of a `with` block: to files as jobs end, to stdout in the order of documents.

    Its methods are for one thread.
    """

    def __init__(
        self,
        socket: Path,
        patience: Patience,
        output: FolderOutput | StreamOutput,
        reporter: Reporter,
        progress: Progress,
    ) -> None:
        self._output = output
        self._reporter = reporter
        self._progress = progress
        self._connection = PatientConnection(socket, patience)
        self._watcher = Watcher(socket, patience, self._changed)
        #: What has no result yet, by number, in the order of the documents.
        self._waiting: dict[int, _Waiting] = {}
        self._serial = itertools.count()
        #: Numbers of the documents of a job: two documents may be one job.
        self._of_job: dict[str, list[int]] = {}
        #: Results that wait for that of an earlier document.
        self._ended: dict[int, Job | Gone] = {}
        #: Pages of each job that the bar has counted. Of the watcher's thread.
        self._counted: dict[str, int] = {}
        self._written: list[Path] = []

    def __enter__(self) -> Self:
        self._watcher.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._watcher.__exit__(kind, error, traceback)
        self._connection.close()
        sync_folders(self._written)

    def add(self, document: Input, submission: Submission) -> None:
        """A document whose result is wanted."""
        number = next(self._serial)
        self._waiting[number] = _Waiting(document, submission, time.monotonic())
        self._watch(number, submission.job.id)

    def left(self) -> Iterator[tuple[Input, Submission]]:
        """Documents whose results are not there yet."""
        return ((each.document, each.submission) for each in self._waiting.values())

    def collect_so_far(self) -> None:
        """Takes the results of the jobs that are over by now."""
        for ended in self._watcher.finals_so_far():
            self._over(ended)

    def collect_all(self) -> None:
        """Returns when all results are taken; `Unavailable` when the daemon stays away."""
        while self._waiting:
            self._over(self._watcher.next_final())

    def _watch(self, number: int, job_id: str) -> None:
        self._of_job.setdefault(job_id, []).append(number)
        self._watcher.add([job_id])

    def _over(self, ended: Job | Gone) -> None:
        numbers = self._of_job.pop(ended.id, [])
        if isinstance(self._output, FolderOutput):
            for number in numbers:
                self._finish(number, ended)
            return
        self._ended.update(dict.fromkeys(numbers, ended))
        while (first := next(iter(self._waiting), None)) in self._ended:
            assert first is not None
            self._finish(first, self._ended.pop(first))

    def _finish(self, number: int, ended: Job | Gone) -> None:
        waiting = self._waiting[number]
        try:
            outcome = self._outcome(waiting, ended)
        except JobNotFinished:
            # Its result was found damaged, and is made anew.
            self._watch(number, ended.id)
            return
        del self._waiting[number]
        self._progress.document(failed=isinstance(outcome, Failed))
        self._reporter.take(outcome, self._progress)

    def _outcome(self, waiting: _Waiting, ended: Job | Gone) -> Outcome:
        document = waiting.document
        if isinstance(ended, Gone):
            return Failed(document.shown, ended.error, waiting.submission)
        submission = msgspec.structs.replace(waiting.submission, job=ended)
        if (fault := failure(ended)) is not None:
            return Failed(document.shown, fault, submission)
        try:
            conversion = self._connection.call(lambda client: client.result(ended.id))
        except NdfdError as error:
            if time_may_mend(error) or isinstance(error, JobNotFinished):
                raise
            return Failed(document.shown, error, submission)
        with conversion:
            duration_s = time.monotonic() - waiting.begun
            done = Done(document.shown, document, conversion, conversion.report, duration_s, submission=submission)
            return self._written_out(done)

    def _written_out(self, done: Done) -> Outcome:
        if isinstance(self._output, StreamOutput):
            self._output.write(done.document, done.conversion)
            return done
        try:
            self._output.write(done.document, done.conversion)
        except NdfdError as error:
            return Failed(done.shown, error, done.submission)
        path = self._output.path(done.document)
        self._written.append(path)
        return done.at(path)

    def _changed(self, job: Job) -> None:
        pages = job.report.pages if job.report is not None else job.pages_done or 0
        counted = self._counted.get(job.id, 0)
        if pages > counted:
            self._progress.page(pages - counted)
        if job.state.is_final:
            self._counted.pop(job.id, None)
        else:
            self._counted[job.id] = max(pages, counted)
