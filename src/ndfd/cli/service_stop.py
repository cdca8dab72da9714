"""`ndfd service stop`: it serves no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ndfd.cli.service_control import control
from ndfd.cli.service_options import json_option, service_options

if TYPE_CHECKING:
    from ndfd.service.manager import Manager


@click.command(short_help="Stop it.")
@service_options
@json_option
def stop(manager: Manager, as_json: bool) -> None:
    """Stop the service and its sockets, and wait for its end. Conversions that run are let end first, for 30 s at most.

    It is started again with the machine, unless it is disabled; durable jobs that wait go on then.

    \b
    Examples:
      sudo ndfd service stop

    Exit status: see `ndfd service --help`.
    """
    control("stop", manager.stop(), manager, as_json=as_json)
