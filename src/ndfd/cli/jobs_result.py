"""`ndfd jobs result`: what jobs gave."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ndfd.cli.endings import broken_pipe, end_on_signals, exit_status_of, one_line
from ndfd.cli.inputs import STDIN
from ndfd.cli.job_options import ids_argument
from ndfd.cli.options import socket_option
from ndfd.errors import NdfdError, UsageError
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job
from ndfd.model.printable import printable

if TYPE_CHECKING:
    from ndfd.client import Client


@click.command(short_help="Write what jobs gave to stdout or files.")
@ids_argument(JobState.SUCCEEDED, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    metavar="FILE|DIR",
    help="Write to FILE, or to a file of the document's name in DIR, instead of stdout.",
)
@socket_option
def result(ids: Sequence[str], output: str | None, socket: Path | None) -> int:
    """Write what jobs gave, the rendered documents, to stdout or files.

    Without -o there is one ID, and stdout is for its result alone. With -o DIR the result of a.pdf becomes DIR/a.md,
    with further names where two would be one, as `ndfd convert` gives them. A file is written whole or not at all; one
    that exists is replaced. Results stay with the daemon until they are forgotten.

    An ID may be shortened to what no other begins with, 6 characters at least.

    \b
    Examples:
      ndfd jobs result 01kajz3m4v > report.md
      ndfd jobs result -o report.md 01kajz3m4v
      ndfd jobs list -q --state succeeded --label batch=7 | xargs -r ndfd jobs result -o out/

    \b
    Exit status:
      0   written
      64  several jobs, and no folder to write to
      65  the job failed or was cancelled; or several did, for different reasons
      66  there is no such job
      69  no daemon answers
      73  the result cannot be written
      75  the job has not ended: see `ndfd jobs watch`
    A job that failed gives the status of its error: see `ndfd errors`.

    \b
    Environment:
      NDFD_SOCKET                 the daemon's socket
      NDFD_NETWORK__SOCKET_DIR    the folder of the daemon's sockets
    """
    to_stdout = output in (None, STDIN)
    if to_stdout and len(set(ids)) > 1:
        raise UsageError("stdout is for one result: several jobs are named", hint="name a folder with -o DIR")
    # The client, 30 ms, which `ndfd --help` and the shell's completion do not need.
    from ndfd.cli.connect import running_daemon
    from ndfd.client import Client

    end_on_signals()
    with Client.connect(running_daemon(socket)) as client:
        if output is None or to_stdout:
            try:
                with client.result(ids[0]) as conversion:
                    conversion.write_to(sys.stdout.fileno())
            except BrokenPipeError:
                return broken_pipe()
            return 0
        if len(ids) > 1 or output.endswith("/") or Path(output).is_dir():
            return _write_into(Path(output), tuple(dict.fromkeys(ids)), client)
        _write_to(Path(output), ids[0], client)
        return 0


def _write_to(path: Path, job_id: str, client: Client) -> None:
    from ndfd.cli.outputs import replace_file, sync_folders

    with client.result(job_id) as conversion:
        replace_file(path, conversion)
    sync_folders([path])


def _write_into(folder: Path, ids: Sequence[str], client: Client) -> int:
    from ndfd.cli.outputs import free_name, make_folder, replace_file, sync_folders

    make_folder(folder)
    failures: list[NdfdError] = []
    written: list[Path] = []
    taken: set[str] = set()
    try:
        for job_id in ids:
            try:
                job = client.job(job_id)
                with client.result(job.id) as conversion:
                    path = folder / free_name(_name(job), job.format.suffix, taken)
                    replace_file(path, conversion)
                written.append(path)
            except NdfdError as error:
                if client.closed:
                    raise
                failures.append(error)
                click.echo(f"ndfd: {one_line(error, printable(job_id))}", err=True)
    finally:
        sync_folders(written)
    return exit_status_of(failures)


def _name(job: Job) -> Path:
    """The document's name, as its result is named by it: it is somebody's word, and no path."""
    name = printable(job.name or "").rpartition("/")[2]
    return Path(job.id if name in ("", ".", "..") else name)
