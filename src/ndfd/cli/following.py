"""The work of `ndfd jobs watch`: tells what happens to jobs until they have ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import click
import msgspec

from ndfd.cli.connect import running_daemon
from ndfd.cli.endings import broken_pipe, exit_status_of, one_line
from ndfd.cli.job_text import change_line, failure
from ndfd.cli.patience import RETRY_FOR_S, Patience, PatientConnection
from ndfd.cli.watcher import Gone, Watcher
from ndfd.errors import NdfdError
from ndfd.model.jobs import Job
from ndfd.model.printable import printable


class Show(Protocol):
    """How changes are told."""

    def changed(self, job: Job) -> None:
        """A job is as it is now; in the watcher's thread."""

    def say(self, line: str) -> None:
        """A line for the user; in any thread."""


def follow(ids: Sequence[str], *, socket: Path | None, as_json: bool, quiet: bool) -> int:
    """Tells of these jobs until all have ended; the exit status is that of their failures."""
    path = running_daemon(socket)
    failures: list[NdfdError] = []
    left: set[str] = set()
    try:
        with _show(len(set(ids)), as_json, quiet) as show, Patience(RETRY_FOR_S, show.say) as patience:
            with PatientConnection(path, patience) as connection:
                left.update(_known(ids, connection, failures, show))
            with Watcher(path, patience, show.changed) as watcher:
                watcher.add(sorted(left))
                while left:
                    ended = watcher.next_final()
                    left.discard(ended.id)
                    error = ended.error if isinstance(ended, Gone) else failure(ended)
                    if error is not None:
                        failures.append(error)
                    if isinstance(ended, Gone):
                        show.say(f"ndfd: {one_line(ended.error, ended.id)}")
    except BrokenPipeError:
        return broken_pipe()
    except (KeyboardInterrupt, SystemExit):
        if left and not quiet:
            click.echo(f"ndfd: {len(left)} job{' goes' if len(left) == 1 else 's go'} on", err=True)
        raise
    return exit_status_of(failures)


def _known(ids: Sequence[str], connection: PatientConnection, failures: list[NdfdError], show: Show) -> Iterator[str]:
    """The whole ids of the jobs that there are; the others are reported."""
    for each in dict.fromkeys(ids):
        try:
            yield connection.call(lambda client, each=each: client.job(each)).id  # type: ignore[misc]
        except NdfdError as error:
            if connection.closed:
                raise
            failures.append(error)
            show.say(f"ndfd: {one_line(error, printable(each))}")


@contextmanager
def _show(jobs: int, as_json: bool, quiet: bool) -> Iterator[Show]:
    if quiet:
        yield _Silent()
    elif as_json:
        yield _Objects()
    elif sys.stderr.isatty() and sys.stdout.isatty():
        # Needs rich: 20 ms that nothing but a terminal pays.
        from ndfd.cli.jobs_bar import JobsBar

        with JobsBar(jobs) as bar:
            yield bar
    else:
        yield _Lines()


class _Silent:
    """Only the lines for the user."""

    def changed(self, job: Job) -> None:
        """Not shown."""

    def say(self, line: str) -> None:
        """One line on stderr."""
        click.echo(line, err=True)


class _Objects(_Silent):
    """One JSON object for each change and page."""

    def changed(self, job: Job) -> None:
        """One line on stdout."""
        click.echo(msgspec.json.encode(job))


class _Lines(_Silent):
    """One line for each change of state."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}

    def changed(self, job: Job) -> None:
        """One line on stdout; pages are too many for lines."""
        if self._versions.get(job.id) != job.version:
            self._versions[job.id] = job.version
            click.echo(change_line(job, time.time()))
