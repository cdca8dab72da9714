"""`ndfd jobs cancel`: jobs that wait or run are ended."""

from __future__ import annotations

from pathlib import Path

import click

from ndfd.cli.job_selection import Selection, selection_options
from ndfd.cli.options import socket_option
from ndfd.model.job_states import JobState

_STATES = (JobState.QUEUED, JobState.RUNNING)


@click.command(short_help="End jobs that wait or run.")
@selection_options(*_STATES, every="All of your jobs that wait or run.", began="were submitted")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each job instead of its id.")
@click.option("-q", "--quiet", is_flag=True, help="No summary on stderr; errors only.")
@socket_option
def cancel(selection: Selection, as_json: bool, quiet: bool, socket: Path | None) -> int:
    """End jobs that wait or run: those named by ID, or all of yours that fit the options.

    A running conversion is stopped on the spot. A job that is cancelled already stays so; one that has ended otherwise
    is an error. The ids go to stdout, one a line. An ID may be shortened to what no other begins with, 6 characters at
    least.

    \b
    Examples:
      ndfd jobs cancel 01kajz3m4v
      ndfd jobs cancel --label batch=7
      ndfd jobs list -q --state queued | xargs -r ndfd jobs cancel
      ndfd jobs cancel --all

    \b
    Exit status:
      0   all of them are cancelled
      64  no job is named
      65  one had ended already; or several failed, for different reasons
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

    action = Action(lambda client, job_id: client.cancel(job_id), "cancelled", _STATES)
    return do_to_each(action, selection, socket=socket, as_json=as_json, quiet=quiet)
