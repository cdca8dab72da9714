"""`ndfd jobs`: the group of commands about durable jobs."""

from __future__ import annotations

import click

from ndfd.cli.jobs_cancel import cancel
from ndfd.cli.jobs_forget import forget
from ndfd.cli.jobs_list import list_jobs
from ndfd.cli.jobs_result import result
from ndfd.cli.jobs_retry import retry
from ndfd.cli.jobs_show import show
from ndfd.cli.jobs_watch import watch


@click.group(short_help="List, watch, fetch, cancel and forget jobs.")
def jobs() -> None:
    """List, show, watch, fetch, cancel, retry and forget the jobs that `ndfd submit` made.

    A job waits (queued), runs (running), and ends in one way: it has a result (succeeded), its document or something
    permanent is at fault (failed), the document ended its workers (quarantined), or somebody did not want it any more
    (cancelled). Everyone sees their own jobs; administrators see all.

    An ID may be shortened to what no other begins with, 6 characters at least.

    \b
    Examples:
      ndfd jobs list                              the newest ones
      ndfd jobs show 01kajz3m4v                   all about one
      ndfd jobs watch 01kajz3m4v                  until it has ended
      ndfd jobs result 01kajz3m4v > report.md     what it gave
      ndfd jobs retry --state quarantined         after a fix
    """


for command in (list_jobs, show, watch, result, cancel, retry, forget):
    jobs.add_command(command)
