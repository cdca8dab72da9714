"""`ndfd jobs watch`: what happens to jobs, until they have ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ndfd.cli.endings import end_on_signals
from ndfd.cli.job_options import ids_argument
from ndfd.cli.options import socket_option
from ndfd.errors import UsageError
from ndfd.model.job_states import JobState


@click.command(short_help="Follow jobs until they have ended.")
@ids_argument(JobState.QUEUED, JobState.RUNNING, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each change instead of text.")
@click.option("-q", "--quiet", is_flag=True, help="Nothing but the exit status, and errors.")
@socket_option
def watch(ids: Sequence[str], as_json: bool, quiet: bool, socket: Path | None) -> int:
    """Follow jobs until all of them have ended, and tell how by the exit status.

    On a terminal a bar shows the pages that are done; elsewhere each change of a job's state is one line on stdout.
    With --json each change is one object, pages too. When the daemon is restarted the command waits for it, up to ten
    minutes: the jobs go on.

    An ID may be shortened to what no other begins with, 6 characters at least.

    \b
    Examples:
      ndfd jobs watch 01kajz3m4v
      ndfd submit -q *.pdf | xargs ndfd jobs watch
      ndfd jobs watch -q 01kajz3m4v && ndfd jobs result 01kajz3m4v > report.md
      ndfd jobs watch --json 01kajz3m4v | jq -r '[.state, .pages_done] | @tsv'

    \b
    Exit status:
      0    all have succeeded
      65   a job failed or was cancelled; or several did, for different reasons
      66   there is no such job
      69   no daemon answers, or it did not come back in time
      77   this user may not ask it
      130  interrupted: the jobs go on
    When all failures are of one kind, the status is that kind's: see `ndfd errors`.

    \b
    Environment:
      NDFD_SOCKET                 the daemon's socket
      NDFD_NETWORK__SOCKET_DIR    the folder of the daemon's sockets
    """
    if as_json and quiet:
        raise UsageError("--json and -q contradict each other", hint="leave one out")
    # The client, 30 ms, which `ndfd --help` and the shell's completion do not need.
    from ndfd.cli.following import follow

    end_on_signals()
    return follow(ids, socket=socket, as_json=as_json, quiet=quiet)
