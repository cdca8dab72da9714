"""`ndfd tune`: the group of commands about settings of the system."""

from __future__ import annotations

import click

from ndfd.cli.lazy_commands import LazyCommands
from ndfd.cli.options import LAYERS_HELP

_COMMANDS = LazyCommands(
    {
        "status": "ndfd.cli.tune_status",
        "plan": "ndfd.cli.tune_plan",
        "apply": "ndfd.cli.tune_apply",
        "verify": "ndfd.cli.tune_verify",
        "revert": "ndfd.cli.tune_revert",
    }
)


@click.group(commands=_COMMANDS, short_help="Tune the system for conversions, and put it back.", epilog=LAYERS_HELP)
def tune() -> None:
    """Tune the system for conversions, and put it back.

    What is tuned is said by [tuning] preset, and by the key of each knob beside it. `plan` shows what `apply` does,
    byte for byte. Before a value is written, what was there is on the disk ([tuning] journal), so that `revert` puts it
    back whatever happened in between; a value that somebody else has set since is left alone and told of. A restart of
    the machine undoes all of it.

    \b
    Examples:
      ndfd tune plan                          what would be written, by whom, and how
      sudo ndfd tune apply                    write it
      ndfd tune verify                        is it still so?
      sudo ndfd tune revert                   as it was before

    \b
    Exit status of plan, apply, verify and revert: that of the gravest outcome.
      0   same, applied, restored, skipped: all is as it should be
      65  foreign: somebody else has set the value since; it was left alone
      69  unsupported: this system has no such value, which a key of [tuning] asks for
      71  failed: the system refused the value
      73  read_only: its file system is read-only here
      75  drifted: another value is there than was written, or is wanted
      77  denied: this user, or this place, may not do that
      74  the journal cannot be used, so nothing was changed; 75 while another `ndfd tune` uses it
    """
