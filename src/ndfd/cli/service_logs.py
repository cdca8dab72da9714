"""`ndfd service logs`: what the service says."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from ndfd.cli.service_options import service_options

if TYPE_CHECKING:
    from ndfd.service.manager import Manager


@click.command(short_help="Show its log.")
@service_options
@click.option("-f", "--follow", is_flag=True, help="Go on with what it says from now on, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0), metavar="N", help="The last N lines.  [default: all]")
@click.option(
    "--since", metavar="TIME", help="From then on: 2026-01-31 12:00:00, or as in `-1h` where systemd runs it."
)
@click.option("--priority", metavar="LEVEL", help="What is at least so grave: err, warning, info …")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each line, with all its fields.")
def logs(
    manager: Manager,
    follow: bool,
    lines: int | None,
    since: str | None,
    priority: str | None,
    as_json: bool,
) -> int:
    """Show the service's log: journalctl's under systemd, the log file under launchd, the event log of Windows.

    The command that shows it is named on stderr; its exit status is this one's.

    \b
    Examples:
      ndfd service logs -n 50
      ndfd service logs --follow
      ndfd service logs --since -1h --priority warning
      ndfd service logs --json | jq .MESSAGE
    """
    from ndfd.service.manager import Logs

    command = manager.logs(Logs(follow, lines, since, priority, as_json))
    click.echo(f"run     {shlex.join(command)}", err=True)
    return manager.machine.pass_through(command)
