"""`ndfd jobs list`: jobs, newest first."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from ndfd.cli.endings import broken_pipe
from ndfd.cli.job_options import label_option, labels_of, state_option, user_option
from ndfd.cli.options import socket_option
from ndfd.errors import UsageError
from ndfd.model.job_states import JobState
from ndfd.model.jobs import LIST_MAX, Job, JobQuery

if TYPE_CHECKING:
    from ndfd.client import Client

#: Lines of text that anybody reads.
_LIMIT = 100


@click.command("list", short_help="List jobs, newest first.")
@state_option("Only jobs in this state. Repeatable: in any of them.")
@label_option("Only jobs that have this label. Repeatable: all of them.")
@user_option
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help=f"At most so many  [default: {_LIMIT} as text, else all]"
)
@click.option("--all", "every", is_flag=True, help="All that there are.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of text.")
@click.option("-q", "--quiet", is_flag=True, help="Only the ids, one a line.")
@socket_option
def list_jobs(
    states: Sequence[str],
    labels: Sequence[tuple[str, str]],
    user: int | None,
    limit: int | None,
    every: bool,
    as_json: bool,
    quiet: bool,
    socket: Path | None,
) -> int:
    """List jobs, newest first: id, state, age, pages, runs begun, and the document's name. Everyone sees their own
    jobs; administrators see all.

    \b
    Examples:
      ndfd jobs list
      ndfd jobs list --state failed --state quarantined --all
      ndfd jobs list -q --state queued --label batch=7 | xargs -r ndfd jobs cancel
      ndfd jobs list --json | jq -r '.[] | [.id, .name] | @tsv'

    \b
    Exit status:
      0   the daemon answered
      69  no daemon answers
      77  this user may not ask it

    \b
    Environment:
      NDFD_SOCKET                 the daemon's socket
      NDFD_NETWORK__SOCKET_DIR    the folder of the daemon's sockets
    """
    if as_json and quiet:
        raise UsageError("--json and -q contradict each other", hint="leave one out")
    if every and limit is not None:
        raise UsageError("--all and --limit contradict each other", hint="leave one out")
    if limit is None and not (every or as_json or quiet):
        limit = _LIMIT
    query = JobQuery(states=tuple(JobState(each) for each in states), labels=labels_of(labels), uid=user)
    # The client, 30 ms, which `ndfd --help` and the shell's completion do not need.
    from ndfd.cli.connect import running_daemon
    from ndfd.client import Client

    with Client.connect(running_daemon(socket)) as client:
        pages = _Pages(client, query, limit)
        try:
            if quiet:
                for page in pages:
                    click.echo("\n".join(job.id for job in page))
            elif as_json:
                _print_json(pages)
            else:
                _print_text(pages, chosen=bool(states or labels or user is not None))
        except BrokenPipeError:
            return broken_pipe()
    return 0


class _Pages:
    """Pages of at most `limit` jobs in all; none of them is empty."""

    def __init__(self, client: Client, query: JobQuery, limit: int | None) -> None:
        self._client = client
        self._query = query
        self._left = limit
        #: Whether there are jobs beyond the limit, once all pages are taken.
        self.more = False

    def __iter__(self) -> Iterator[tuple[Job, ...]]:
        cursor: str | None = None
        while self._left is None or self._left > 0:
            count = LIST_MAX if self._left is None else min(self._left, LIST_MAX)
            page = self._client.jobs(msgspec.structs.replace(self._query, cursor=cursor, limit=count))
            if self._left is not None:
                self._left -= len(page.jobs)
            cursor = page.cursor
            if page.jobs:
                yield page.jobs
            if cursor is None:
                return
        self.more = True


def _print_json(pages: _Pages) -> None:
    # As it comes: all of it may be a great deal.
    before = "[\n"
    for page in pages:
        click.echo(before + ",\n".join(msgspec.json.encode(job).decode() for job in page), nl=False)
        before = ",\n"
    click.echo("[]" if before == "[\n" else "\n]")


def _print_text(pages: _Pages, *, chosen: bool) -> None:
    # 20 ms, which help and completion do not need.
    from ndfd.cli.job_text import HEADINGS, plain_row, row

    listed = 0
    with_user = False
    now = time.time()
    for page in pages:
        first = listed == 0
        if first:
            with_user = any(job.uid != os.geteuid() for job in page)
        listed += len(page)
        if sys.stdout.isatty():
            # Needs rich: 20 ms that nothing but a terminal pays.
            from ndfd.cli.jobs_table import print_jobs

            print_jobs(page, now, with_user=with_user, header=first)
            continue
        lines = [plain_row(HEADINGS, with_user)] if first else []
        lines += [plain_row(row(job, now), with_user) for job in page]
        click.echo("\n".join(lines))
    if listed == 0:
        click.echo("no job is like that" if chosen else "there are no jobs")
    elif pages.more:
        click.echo(f"ndfd: these are the newest {listed}; see more with --all or --limit N", err=True)
