"""`ndfd jobs forget`: jobs that have ended are erased."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ndfd.cli.job_selection import Selection, selection_options
from ndfd.cli.options import socket_option
from ndfd.model.job_states import JobState

if TYPE_CHECKING:
    from ndfd.client import Client

_STATES = (JobState.SUCCEEDED, JobState.FAILED, JobState.QUARANTINED, JobState.CANCELLED)


@click.command(short_help="Erase jobs that have ended, with documents and results.")
@selection_options(*_STATES, every="All of yours that have ended.", began="ended")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each job instead of its id.")
@click.option("-q", "--quiet", is_flag=True, help="No summary on stderr; errors only.")
@socket_option
def forget(selection: Selection, as_json: bool, quiet: bool, socket: Path | None) -> int:
    """Erase jobs that have ended, with their documents, results and history: those named by ID, or all of yours that
    fit the options. There is no way back.

    Jobs that have ended are also erased by themselves: [storage] keep_age, keep_count and keep_size say when. One that
    waits or runs has to be cancelled first. The ids go to stdout, one a line. An ID may be shortened to what no other
    begins with, 6 characters at least.

    \b
    Examples:
      ndfd jobs forget 01kajz3m4v
      ndfd jobs forget --state succeeded --older-than 7d
      ndfd jobs forget --label customer=4711

    \b
    Exit status:
      0   all of them are erased
      64  no job is named
      65  one waits or runs; or several failed, for different reasons
      66  there is no such job
      69  no daemon answers
      77  this user may not do that

    \b
    Environment:
      NDFD_SOCKET                 the daemon's socket
      NDFD_NETWORK__SOCKET_DIR    the folder of the daemon's sockets
    """
    # The client, 30 ms, which `ndfd --help` and the shell's completion do not need.
    from ndfd.cli.each_job import Action, do_to_each

    return do_to_each(Action(_forget, "erased", _STATES), selection, socket=socket, as_json=as_json, quiet=quiet)


def _forget(client: Client, job_id: str) -> None:
    client.forget(job_id)
