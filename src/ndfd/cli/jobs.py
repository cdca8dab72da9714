"""`ndfd jobs`: the group of commands about durable jobs."""

from __future__ import annotations

import click

from ndfd.cli.lazy_commands import LazyCommands

_COMMANDS = LazyCommands(
    {
        "list": "ndfd.cli.jobs_list:list_jobs",
        "show": "ndfd.cli.jobs_show",
        "watch": "ndfd.cli.jobs_watch",
        "result": "ndfd.cli.jobs_result",
        "cancel": "ndfd.cli.jobs_cancel",
        "retry": "ndfd.cli.jobs_retry",
        "forget": "ndfd.cli.jobs_forget",
    }
)


@click.group(commands=_COMMANDS, short_help="List, watch, fetch, cancel and forget jobs.")
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
