"""`ndfd service start`: it serves from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ndfd.cli.service_control import control
from ndfd.cli.service_options import json_option, service_options

if TYPE_CHECKING:
    from ndfd.service.manager import Manager


@click.command(short_help="Start it.")
@service_options
@json_option
def start(manager: Manager, as_json: bool) -> None:
    """Start the service, with its sockets, and wait until it serves.

    When it does not, the reason is shown: how its process ended, what that means, and the last lines of its log.

    \b
    Examples:
      sudo ndfd service start

    Exit status: see `ndfd service --help`.
    """
    control("start", manager.start(), manager, as_json=as_json)
