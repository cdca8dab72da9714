"""`ndfd jobs show`: all about one job."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import msgspec

from ndfd.cli.config_values import print_json
from ndfd.cli.job_options import id_argument
from ndfd.cli.options import socket_option


@click.command(short_help="Show all about one job, with its history.")
@id_argument()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@socket_option
def show(job_id: str, as_json: bool, socket: Path | None) -> None:
    """Show all about one job: its state, its document and options, what its result is like or why there is none and
    what to do about it, and everything that happened to it.

    An ID may be shortened to what no other begins with, 6 characters at least.

    \b
    Examples:
      ndfd jobs show 01kajz3m4v
      ndfd jobs show --json 01kajz3m4v | jq .fault

    \b
    Exit status:
      0   shown
      66  there is no such job
      69  no daemon answers
      77  this user may not ask it

    \b
    Environment:
      NDFD_SOCKET                 the daemon's socket
      NDFD_NETWORK__SOCKET_DIR    the folder of the daemon's sockets
    """
    # The client, 30 ms, which `ndfd --help` and the shell's completion do not need.
    from ndfd.cli.connect import running_daemon
    from ndfd.cli.job_text import facts, history_line
    from ndfd.client import Client

    with Client.connect(running_daemon(socket)) as client:
        job = client.job(job_id)
        history = client.job_history(job.id)
    if as_json:
        print_json({**msgspec.to_builtins(job), "history": history})
        return
    now = time.time()
    if sys.stdout.isatty():
        # Needs rich: 20 ms that nothing but a terminal pays.
        from ndfd.cli.jobs_table import print_job

        print_job(job, history, now)
        return
    click.echo("\n".join(f"{label:<11} {text}" for label, text in facts(job, now)))
    if history:
        click.echo("\n" + "\n".join(history_line(change) for change in history))
