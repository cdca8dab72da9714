"""`ndfd service status`: how the service is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ndfd.cli.service_options import json_option, service_options
from ndfd.cli.service_text import print_status
from ndfd.errors import EX_UNAVAILABLE

if TYPE_CHECKING:
    from ndfd.service.manager import Manager


@click.command(short_help="Show how it is.")
@service_options
@json_option
def status(manager: Manager, as_json: bool) -> int:
    """Show the service: whether it runs and since when, whether it is enabled, why it ended, its sockets, whether its
    files are those that this version would write. What the daemon itself does is shown by `ndfd status`.

    \b
    Examples:
      ndfd service status
      ndfd service status --json | jq -r .state

    \b
    Exit status:
      0   it runs
      69  it does not run, or is not installed; this system has no such service
    """
    found = manager.status()
    print_status(found, as_json=as_json)
    return 0 if found.running else EX_UNAVAILABLE
