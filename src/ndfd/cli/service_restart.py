"""`ndfd service restart`: another process serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ndfd.cli.service_control import control
from ndfd.cli.service_options import json_option, service_options

if TYPE_CHECKING:
    from ndfd.service.manager import Manager


@click.command(short_help="Restart it.")
@service_options
@json_option
def restart(manager: Manager, as_json: bool) -> None:
    """Restart the service and wait until it serves. The sockets stay: under systemd, whoever connects or sends a
    request meanwhile waits, and is served by the new process.

    \b
    Examples:
      sudo ndfd service restart

    Exit status: see `ndfd service --help`.
    """
    control("restart", manager.restart(), manager, as_json=as_json)
