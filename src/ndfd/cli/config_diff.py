"""`ndfd config diff`: what differs from the defaults, or from the running daemon."""

from __future__ import annotations

from pathlib import Path

import click

from ndfd.cli.config_running import refuse_contradiction
from ndfd.cli.config_values import change_as_json, change_line, print_json, restart_line, warn
from ndfd.cli.options import Sources, socket_option, sources_options
from ndfd.model.configuration import Change

#: Of diff(1).
_EX_DIFFERENT = 1


@click.command(short_help="Show what differs from the defaults or the running daemon.")
@click.option("--running", is_flag=True, help="What a reload would change in the running daemon.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array of the changes instead of text.")
@socket_option
@sources_options
def diff(running: bool, as_json: bool, socket: Path | None, sources: Sources) -> int:
    """Show each key whose value differs: from its default or, with --running, from the one that the daemon runs with.

    With --running the daemon itself reads its configuration again, without using it: its files, its variables and its
    command line. Keys that only a restart would apply are named.

    \b
    Examples:
      ndfd config diff
      ndfd config diff --running

    \b
    Exit status:
      0   no difference
      1   differences
      69  --running: no daemon answers
      77  --running: this user may not ask it
      78  the configuration has mistakes
    """
    refuse_contradiction(running, socket, sources)
    if running:
        from ndfd.cli.connect import running_daemon
        from ndfd.client import Client

        with Client.connect(running_daemon(socket)) as client:
            planned = client.reload(dry_run=True)
        changes, warnings = planned.changes, planned.warnings
    else:
        changes, warnings = _from_defaults(sources)
    if as_json:
        print_json([change_as_json(change) for change in changes])
    else:
        for change in changes:
            click.echo(change_line(change))
        if running and (line := restart_line(changes)):
            click.echo(line)
    warn(warnings)
    return _EX_DIFFERENT if changes else 0


def _from_defaults(sources: Sources) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    from ndfd.config.load import load, read_files
    from ndfd.config.plan import changes

    loaded = load(sources.context())
    return changes(read_files(()).resolved, loaded.resolved), loaded.warnings
