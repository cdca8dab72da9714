"""Does one thing to many jobs: side by side, and what cannot be done to one does not keep it from the others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from ndfd.cli.batch import Batch, DaemonGone
from ndfd.cli.connect import running_daemon
from ndfd.cli.endings import broken_pipe, exit_status_of, one_line
from ndfd.cli.job_selection import Selection, now
from ndfd.cli.outcome import error_as_object
from ndfd.client import Client
from ndfd.errors import JobStateConflict, JobUnknown, NdfdError
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job
from ndfd.model.printable import printable

#: The daemon makes durable together what comes in one moment.
_CONNECTIONS = 16
_AHEAD = 256


class Action(NamedTuple):
    """What is done to each job."""

    #: The job as it is then, or None when it is no more.
    call: Callable[[Client, str], Job | None]
    #: "cancelled": what was done to them.
    done: str
    #: The states in which it can be done.
    states: tuple[JobState, ...]


class _Answer(NamedTuple):
    id: str
    job: Job | None = None
    error: NdfdError | None = None


def do_to_each(action: Action, selection: Selection, *, socket: Path | None, as_json: bool, quiet: bool) -> int:
    """Does it to the jobs that are chosen, prints their ids, and reports what could not be done; the exit status."""
    path = running_daemon(socket)
    failures: list[NdfdError] = []
    done = 0
    try:
        with Client.connect(path) as client, Batch(partial(Client.connect, path), _CONNECTIONS, _work(action)) as batch:
            for answer in batch.results(selection.job_ids(client, action.states, now()), _AHEAD):
                if answer.error is None:
                    done += 1
                    _print(answer, as_json)
                elif not (selection.by_condition and isinstance(answer.error, JobStateConflict | JobUnknown)):
                    # One that was looked for may have changed since; one that was named is another matter.
                    failures.append(answer.error)
                    click.echo(f"ndfd: {one_line(answer.error, printable(answer.id))}", err=True)
                    if as_json:
                        _print(answer, as_json)
    except DaemonGone as gone:
        raise gone.error from None
    except BrokenPipeError:
        return broken_pipe()
    if not quiet and (selection.by_condition or len(selection.ids) > 1):
        failed = f"; {len(failures)} not" if failures else ""
        click.echo(f"ndfd: {done} job{'' if done == 1 else 's'} {action.done}{failed}", err=True)
    return exit_status_of(failures)


def _work(action: Action) -> Callable[[Client, str], _Answer]:
    def work(client: Client, job_id: str) -> _Answer:
        try:
            job = action.call(client, job_id)
        except NdfdError as error:
            return _Answer(job_id, error=error)
        return _Answer(job_id if job is None else job.id, job)

    return work


def _print(answer: _Answer, as_json: bool) -> None:
    if not as_json:
        click.echo(answer.id)
    elif answer.error is not None:
        click.echo(msgspec.json.encode({"id": answer.id, "error": error_as_object(answer.error)}))
    else:
        click.echo(msgspec.json.encode({"id": answer.id} if answer.job is None else answer.job))
