"""`ndfd renew`: every worker is replaced by a fresh one, one by one."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ndfd.cli.options import socket_option
from ndfd.cli.pools import complete_pools


@click.command(short_help="Replace the workers of the running daemon, one by one.")
@click.option("--pool", metavar="NAME", help="Only the workers of this pool.", shell_complete=complete_pools)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@socket_option
def renew(pool: str | None, as_json: bool, socket: Path | None) -> None:
    """Have every worker that the running daemon has now replaced by a fresh one, and wait for it.

    One by one: a worker that converts a document ends it first, and no conversion is refused or lost.

    \b
    Examples:
      ndfd renew
      ndfd renew --pool bulk

    \b
    Exit status:
      0   done: every worker is a fresh one
      64  there is no such pool
      69  no daemon answers
      75  the daemon stopped meanwhile
      77  this user may not do that: root, the daemon's own user and [security] admins may
    """
    from ndfd.cli.connect import running_daemon
    from ndfd.client import Client

    with Client.connect(running_daemon(socket)) as client:
        renewed = client.renew(pool)
    if as_json:
        click.echo(json.dumps({"renewed": renewed}))
    else:
        click.echo(f"{renewed} worker{'s are' if renewed != 1 else ' is'} replaced")
