"""`ndfd reload`: the running daemon takes the configuration as it is written now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ndfd.cli.config_values import change_as_json, change_line, print_json, restart_line, warn
from ndfd.cli.options import socket_option
from ndfd.cli.status import short_hash
from ndfd.errors import ConfigError, NdfdError, NotPermitted
from ndfd.model.configuration import ReloadReport

if TYPE_CHECKING:
    from ndfd.client import Client


@click.command(short_help="Have the running daemon take its configuration anew.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@socket_option
def reload(dry_run: bool, as_json: bool, socket: Path | None) -> None:
    """Have the running daemon read its configuration again and use it.

    All of it is used, or, when anything is wrong with it, nothing: each mistake is told, and the daemon serves on as
    before. Conversions that run are not disturbed: each ends under the configuration under which it began. Keys that
    only a restart applies are named.

    \b
    Examples:
      ndfd config check && ndfd reload
      ndfd reload --dry-run
      ndfd reload --json | jq .generation

    \b
    Exit status:
      0   done: the new configuration serves
      69  no daemon answers
          workers would lack what [sandbox] allow does not name: the old one serves on
      75  no worker can be started under the new configuration: the old one serves on
      77  this user may not do that: root, the daemon's own user and [security] admins may
      78  the configuration has mistakes: the old one serves on
    """
    from ndfd.cli.connect import running_daemon
    from ndfd.client import Client

    with Client.connect(running_daemon(socket)) as client:
        try:
            report = client.reload(dry_run=dry_run)
        except NotPermitted:
            raise
        except NdfdError as error:
            raise _and_what_serves(error, client) from error
    if as_json:
        print_json(_as_json(report))
    else:
        _print(report, dry_run)
        warn(report.warnings)


def _and_what_serves(error: NdfdError, client: Client) -> NdfdError:
    """The refusal, which also says that the old configuration serves on."""
    if client.closed:
        return error
    hint = f"nothing has changed: generation {client.status().generation} serves on"
    # What a ConfigError advises, `ndfd config check`, looks at this user's configuration, not at the daemon's.
    if error.hint and not isinstance(error, ConfigError):
        hint = f"{hint}; {error.hint}"
    return type(error)(error.message, hint=hint, details=error.details)


def _print(report: ReloadReport, dry_run: bool) -> None:
    if not report.changes:
        what = "would change" if dry_run else "has changed"
        click.echo(f"nothing {what}: generation {report.generation} serves")
        return
    if dry_run:
        click.echo(f"generation {report.generation} serves; a reload would change:")
    else:
        click.echo(f"generation {report.generation} serves, hash {short_hash(report.hash)}; changed:")
    for change in report.changes:
        click.echo(f"  {change_line(change)}")
    if line := restart_line(report.changes):
        click.echo(line)


def _as_json(report: ReloadReport) -> dict[str, object]:
    return {
        "generation": report.generation,
        "hash": report.hash,
        "changes": [change_as_json(change) for change in report.changes],
        "warnings": report.warnings,
    }
