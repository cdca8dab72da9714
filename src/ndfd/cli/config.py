"""`ndfd config`: the group of commands about the configuration."""

from __future__ import annotations

import click

from ndfd.cli.lazy_commands import LazyCommands
from ndfd.cli.options import LAYERS_HELP

_COMMANDS = LazyCommands(
    {
        "show": "ndfd.cli.config_show",
        "explain": "ndfd.cli.config_explain",
        "check": "ndfd.cli.config_check",
        "diff": "ndfd.cli.config_diff",
        "reference": "ndfd.cli.config_reference",
    }
)


@click.group(commands=_COMMANDS, short_help="Show, check and explain the configuration.", epilog=LAYERS_HELP)
def config() -> None:
    """Show, check and explain the configuration.

    ndfd is configured by TOML files, variables and options of its command line. Each of these commands reads them as
    `ndfd run` would, here and now; with --running, the running daemon is asked instead.

    A secret is never shown, and never taken from the command line. Write security.token_file, the path of a file that
    holds it, or security.token itself in a file that nobody else may read.

    \b
    Examples:
      ndfd config check                       every mistake, with its place
      ndfd config show --origin               every value, and where it was written
      ndfd config explain swarm.workers       all about one key
      ndfd config diff --running              what a reload would change
    """
