"""`ndfd service reload`: it takes its configuration anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ndfd.cli.service_control import control
from ndfd.cli.service_options import json_option, service_options

if TYPE_CHECKING:
    from ndfd.service.manager import Manager


@click.command(short_help="Have it take its configuration anew.")
@service_options
@json_option
def reload(manager: Manager, as_json: bool) -> None:
    """Have the service read its configuration again, and wait until it has. With mistakes in it, the old one serves on:
    see `says`, and `ndfd reload`, which names each change.

    \b
    Examples:
      ndfd config check --service && sudo ndfd service reload

    Exit status: see `ndfd service --help`.
    """
    control("reload", manager.reload(), manager, as_json=as_json)
