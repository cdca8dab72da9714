"""`ndfd jobs retry`: jobs that gave no result run anew."""

from __future__ import annotations

from pathlib import Path

import click

from ndfd.cli.job_selection import Selection, selection_options
from ndfd.cli.options import socket_option
from ndfd.model.job_states import JobState

_STATES = (JobState.FAILED, JobState.QUARANTINED, JobState.CANCELLED)


@click.command(short_help="Have jobs that gave no result run anew.")
@selection_options(*_STATES, every="All of yours that failed, were quarantined or cancelled.", began="ended")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each job instead of its id.")
@click.option("-q", "--quiet", is_flag=True, help="No summary on stderr; errors only.")
@socket_option
def retry(selection: Selection, as_json: bool, quiet: bool, socket: Path | None) -> int:
    """Have jobs that failed, were quarantined or cancelled run anew, with the document that was kept and all their
    options: those named by ID, or all of yours that fit the options.

    Do it when the cause is mended, by a new version or another limit: the same cause ends them again. The ids go to
    stdout, one a line. An ID may be shortened to what no other begins with, 6 characters at least.

    \b
    Examples:
      ndfd jobs retry 01kajz3m4v
      ndfd jobs retry --state quarantined
      ndfd jobs retry -q --state failed --label batch=7 | xargs -r ndfd jobs watch

    \b
    Exit status:
      0   all of them are in the queue again
      64  no job is named
      65  one waits, runs or has succeeded; or several failed, for different reasons
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

    action = Action(lambda client, job_id: client.retry(job_id), "in the queue again", _STATES)
    return do_to_each(action, selection, socket=socket, as_json=as_json, quiet=quiet)
