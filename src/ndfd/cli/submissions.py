"""The work of `ndfd submit`: hands documents over, side by side, and tells which job each has become."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click
import msgspec

from ndfd.cli.acknowledgements import (
    Acknowledgements,
    Submitted,
    as_object,
    say_id,
    say_nothing,
    say_object,
    say_remark,
)
from ndfd.cli.batch import Batch
from ndfd.cli.collector import Collector
from ndfd.cli.connect import running_daemon
from ndfd.cli.endings import broken_pipe, exit_status_of
from ndfd.cli.inputs import STDIN, BadInput, Input, printable
from ndfd.cli.outcome import Failed, Reporter
from ndfd.cli.outputs import FolderOutput, StreamOutput, output_names
from ndfd.cli.patience import Patience, PatientConnection, time_may_mend
from ndfd.cli.progress import Progress, progress_for
from ndfd.client import Client
from ndfd.client.documents import document_descriptor
from ndfd.errors import NdfdError, NotPermitted, NotSupported, Unavailable, UsageError
from ndfd.model.jobs import JobOptions, Submission

#: The daemon makes durable together what comes in one moment.
_CONNECTIONS = 32
#: Answers that may wait for that of an earlier document.
_AHEAD = 1024
#: The fault of the command line, or of who gave it, and of no document.
_OF_ALL = (UsageError, NotPermitted, NotSupported)
#: Jobs that go on are named one by one up to so many.
_NAMED = 3


class Submissions:
    """One run of the command."""

    def __init__(
        self,
        options: JobOptions,
        *,
        wait: bool,
        folder: Path | None,
        retry_for_s: float,
        as_json: bool,
        quiet: bool,
    ) -> None:
        """With `wait`, results go below `folder`, or to stdout; the others are the command's options."""
        self._options = options
        self._wait = wait
        self._folder = folder
        self._retry_for_s = retry_for_s
        self._as_json = as_json
        self._quiet = quiet
        self._reporter = Reporter(as_json, quiet)
        self._acknowledged: Acknowledgements | None = None
        self._collector: Collector | None = None

    def run(self, found: Sequence[Input | BadInput], *, socket: Path | None) -> int:
        """Submits, with `wait` collects the results, and reports; the exit status."""
        inputs = [each for each in found if isinstance(each, Input)]
        if sum(each.path is None for each in inputs) > 1:
            raise UsageError(f"stdin can be read once: {STDIN} is given more than once")
        if len(found) == 1 and isinstance(found[0], BadInput):
            raise found[0].error
        path = running_daemon(socket)
        begun = time.monotonic()
        try:
            with progress_for(len(inputs), self._wants_bar(len(inputs)), pages=self._wait) as progress:
                for each in found:
                    if isinstance(each, BadInput):
                        self._reporter.take(Failed(each.shown, each.error), progress)
                if inputs:
                    self._run(inputs, path, progress)
        except BrokenPipeError:
            return broken_pipe()
        except (NdfdError, KeyboardInterrupt, SystemExit):
            self._say_what_goes_on(len(inputs))
            raise
        if len(found) > 1:
            self._summary(len(found), time.monotonic() - begun)
        return exit_status_of(self._reporter.failures)

    def _wants_bar(self, documents: int) -> bool:
        # Results and a bar on one terminal would run into each other.
        results_shown = self._wait and self._folder is None and sys.stdout.isatty()
        return not self._quiet and not results_shown and (self._wait or documents > 1)

    def _run(self, inputs: Sequence[Input], path: Path, progress: Progress) -> None:
        patience = Patience(self._retry_for_s, progress.say)
        # Where jobs are told on stderr, that is told with them.
        remarks = not self._quiet and not (self._wait and self._folder is None)
        acknowledged = Acknowledgements(self._reporter, progress, self._say_job(progress), remarks=remarks)
        self._acknowledged = acknowledged
        with ExitStack() as stack:
            stack.callback(acknowledged.tell_rest)
            if self._wait:
                output = self._output(inputs)
                self._collector = stack.enter_context(Collector(path, patience, output, self._reporter, progress))
            stdin: int | None = None
            if any(each.path is None for each in inputs):
                # Here, where Ctrl-C ends the reading; and once, so that it can be sent again.
                stdin = stack.enter_context(document_descriptor(sys.stdin.fileno()))

            def work(connection: PatientConnection, number: int) -> int:
                acknowledged.note(number, self._submit(connection, inputs[number], stdin))
                return number

            connect = partial(PatientConnection, path, patience)
            batch = stack.enter_context(Batch(connect, min(_CONNECTIONS, len(inputs)), work))
            # Last, and so left first: who waits is woken before the batch waits for its threads.
            stack.enter_context(patience)
            for number in batch.results(range(len(inputs)), _AHEAD):
                self._take(acknowledged.tell(number), progress)
            if self._collector is not None:
                self._collector.collect_all()

    def _take(self, answer: Submitted | Failed, progress: Progress) -> None:
        if isinstance(answer, Failed) or self._collector is None:
            progress.document(failed=isinstance(answer, Failed))
        else:
            self._collector.add(answer.document, answer.submission)
        if self._collector is not None:
            self._collector.collect_so_far()

    def _submit(self, connection: PatientConnection, document: Input, stdin: int | None) -> Submitted | Failed:
        convert = msgspec.structs.replace(self._options.convert, name=printable(document.relative.name))
        options = msgspec.structs.replace(self._options, convert=convert)
        source = stdin if document.path is None else document.path
        assert source is not None
        broken = 0

        def submit(client: Client) -> Submission:
            nonlocal broken
            try:
                return client.submit(source, options)
            except Unavailable:
                broken += 1
                raise

        try:
            return Submitted(document, connection.call(submit), resent=broken > 0)
        except NdfdError as error:
            # No patience is left, and would be for no other document; or what is asked for is wrong for all of them.
            if time_may_mend(error) or isinstance(error, _OF_ALL):
                raise
            return Failed(document.shown, error)

    def _output(self, inputs: Sequence[Input]) -> FolderOutput | StreamOutput:
        output_format = self._options.convert.format
        if self._folder is None:
            return StreamOutput(sys.stdout.fileno(), output_format, several=len(inputs) > 1)
        return FolderOutput(self._folder, output_names(inputs, output_format.suffix))

    def _say_job(self, progress: Progress) -> Callable[[Submitted], None]:
        if not self._wait:
            return say_object(progress) if self._as_json else say_id(progress)
        if self._folder is None:
            return say_nothing if self._quiet else say_remark(progress)
        # With --json it stands beside the result.
        return say_nothing if self._as_json else say_id(progress)

    def _summary(self, documents: int, duration_s: float) -> None:
        if self._wait:
            self._reporter.summary(duration_s)
            return
        submitted, reused = self._counts()
        if self._quiet:
            return
        rate = submitted / duration_s if duration_s > 0 else 0.0
        line = f"ndfd: {submitted} of {documents} documents submitted in {duration_s:.1f} s ({rate:.0f}/s)"
        if reused:
            line += f"; {reused} of them before"
        if self._reporter.failures:
            line += f"; {len(self._reporter.failures)} refused"
        click.echo(line, err=True)

    def _counts(self) -> tuple[int, int]:
        return (self._acknowledged.submitted, self._acknowledged.reused) if self._acknowledged is not None else (0, 0)

    def _say_what_goes_on(self, documents: int) -> None:
        """For a run that was ended early: what is known, and how to go on."""
        submitted, _ = self._counts()
        if self._collector is not None and self._as_json:
            for document, submission in self._collector.left():
                click.echo(msgspec.json.encode(as_object(Submitted(document, submission, resent=False))))
        if submitted + len(self._reporter.failures) < documents and documents > 1:
            again = "give them all again: what is submitted already gives the same job"
            click.echo(f"ndfd: {submitted} of {documents} documents are submitted; {again}", err=True)
        if self._collector is not None and (ids := [each.job.id for _, each in self._collector.left()]):
            click.echo(f"ndfd: {_go_on(list(dict.fromkeys(ids)))}", err=True)


def _go_on(ids: Sequence[str]) -> str:
    if len(ids) > _NAMED:
        return (
            f"{len(ids)} jobs go on: see them with `ndfd jobs list`, cancel them with `ndfd jobs cancel ID…`, and give "
            "the same command again for their results"
        )
    named = " ".join(ids)
    which, them = ("job goes", "it") if len(ids) == 1 else ("jobs go", "them")
    return f"{len(ids)} {which} on: wait with `ndfd jobs watch {named}`, or cancel {them}: `ndfd jobs cancel {named}`"
