"""The work of `ndfd convert`: finds a daemon, hands it the documents, and puts the results where they belong."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from ndfd.cli.batch import Batch, DaemonGone
from ndfd.cli.connect import daemon_socket
from ndfd.cli.endings import broken_pipe, exit_status_of
from ndfd.cli.inputs import STDIN, BadInput, Input, printable
from ndfd.cli.outcome import Done, Failed, Outcome, Reporter
from ndfd.cli.outputs import FolderOutput, StreamOutput, output_names, sync_folders
from ndfd.cli.pools import workers_of
from ndfd.cli.progress import Progress, progress_for
from ndfd.client import Client, Conversion
from ndfd.errors import NdfdError, UsageError
from ndfd.model.conversion import ConvertOptions

#: Finished results that may wait for an earlier document when they go to stdout in order; each holds a descriptor.
_RESULTS_AHEAD = 64


class Conversions:
    """One run of the command."""

    def __init__(self, options: ConvertOptions, folder: Path | None, *, as_json: bool, quiet: bool) -> None:
        """Results go below `folder`, or to stdout; `as_json` and `quiet` are the command's options."""
        self._options = options
        self._folder = folder
        self._quiet = quiet
        self._reporter = Reporter(as_json, quiet)

    def run(self, found: Sequence[Input | BadInput], *, socket: Path | None, private: bool, jobs: int | None) -> int:
        """Converts and reports; the exit status."""
        inputs = [each for each in found if isinstance(each, Input)]
        if sum(each.path is None for each in inputs) > 1:
            raise UsageError(f"stdin can be read once: {STDIN} is given more than once")
        if len(found) == 1 and isinstance(found[0], BadInput):
            raise found[0].error
        begun = time.monotonic()
        # A bar and documents on one terminal would run into each other.
        bar = not self._quiet and (self._folder is not None or not sys.stdout.isatty())
        try:
            with progress_for(len(inputs), bar) as progress:
                for each in found:
                    if isinstance(each, BadInput):
                        self._reporter.take(Failed(each.shown, each.error), progress)
                if inputs:
                    self._convert(inputs, socket, private, jobs, progress)
        except BrokenPipeError:
            return broken_pipe()
        if len(found) > 1:
            self._reporter.summary(time.monotonic() - begun)
        return exit_status_of(self._reporter.failures)

    def _convert(
        self, inputs: list[Input], socket: Path | None, private: bool, jobs: int | None, progress: Progress
    ) -> None:
        output = (
            StreamOutput(sys.stdout.fileno(), self._options.format, several=len(inputs) > 1)
            if self._folder is None
            else FolderOutput(self._folder, output_names(inputs, self._options.format.suffix))
        )
        ahead = _RESULTS_AHEAD if isinstance(output, StreamOutput) else len(inputs)

        def work(client: Client, document: Input) -> Outcome:
            outcome = self._one(client, document, progress)
            if isinstance(output, FolderOutput) and isinstance(outcome, Done):
                outcome = _written(output, outcome)
            progress.document(failed=isinstance(outcome, Failed))
            return outcome

        written: list[Path] = []
        try:
            with (
                daemon_socket(socket, private) as path,
                Batch(partial(Client.connect, path), self._threads(path, jobs, inputs), work) as batch,
            ):
                for outcome in batch.results(inputs, max(ahead, 1)):
                    if isinstance(outcome, Done) and isinstance(output, StreamOutput):
                        with outcome.conversion:
                            output.write(outcome.document, outcome.conversion)
                    elif isinstance(outcome, Done) and outcome.output is not None:
                        written.append(outcome.output)
                    self._reporter.take(outcome, progress)
        except DaemonGone as gone:
            raise gone.error from None
        finally:
            sync_folders(written)

    def _threads(self, socket: Path, jobs: int | None, inputs: Sequence[Input]) -> int:
        # One for each worker, so that no document waits in front of other users'.
        workers = workers_of(socket, self._options.pool)
        return max(1, min(jobs or workers, len(inputs)))

    def _one(self, client: Client, document: Input, progress: Progress) -> Outcome:
        options = msgspec.structs.replace(self._options, name=printable(document.relative.name))
        begun = time.monotonic()
        try:
            source = sys.stdin.fileno() if document.path is None else document.path
            conversion: Conversion = client.convert(source, options, on_page=lambda page: progress.page())
        except NdfdError as error:
            return Failed(document.shown, error)
        return Done(document.shown, document, conversion, conversion.report, time.monotonic() - begun)


def _written(output: FolderOutput, done: Done) -> Outcome:
    with done.conversion:
        try:
            output.write(done.document, done.conversion)
        except NdfdError as error:
            return Failed(done.shown, error)
    return done.at(output.path(done.document))
