"""`ndfd service`: the group of commands about the daemon as a service of the system."""

from __future__ import annotations

import click

from ndfd.cli.lazy_commands import LazyCommands

_COMMANDS = LazyCommands(
    {
        "install": "ndfd.cli.service_install",
        "uninstall": "ndfd.cli.service_uninstall",
        "start": "ndfd.cli.service_start",
        "stop": "ndfd.cli.service_stop",
        "restart": "ndfd.cli.service_restart",
        "reload": "ndfd.cli.service_reload",
        "status": "ndfd.cli.service_status",
        "logs": "ndfd.cli.service_logs",
    }
)


@click.group(commands=_COMMANDS, short_help="Run the daemon as a service of the system.")
def service() -> None:
    """Run the daemon as a service of the system: of systemd, launchd or Windows.

    Each command shows every file that it writes and every command that it runs before it does so, and undoes them all
    when one fails. Each may be run again: what is as it should be stays so.

    \b
    Signals of the daemon:
      TERM   let conversions end, for 30 s at most; take no new ones
      INT    cancel conversions, and end
      HUP    read the configuration again
      USR1   write the state to the log
      USR2   open the log files anew

    \b
    Examples:
      sudo ndfd service install               users, folders and units; enabled and started
      ndfd service install --user             a service of your own
      ndfd service status                     what runs, since when, at which sockets
      ndfd service logs --follow              what it says
      sudo ndfd service restart               nobody who is connected notices

    \b
    Exit status:
      0   done; it was so already
      69  it is not installed, or does not run; this system has no such service
      71  the service manager refused
      73  a file cannot be written, or somebody has changed it
      75  no worker could be started
      77  only root may do that: sudo, or --user
      78  wrong configuration: see ndfd config check
    """
