"""Options and types of options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ndfd.config.quantities import parse_duration


class _Duration(click.ParamType[float]):
    """Seconds, written as in 90, 90s or 2m30s."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, more than 0."""
        try:
            seconds = parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if seconds <= 0:
            self.fail(f"{value!r} is no time at all", param, ctx)
        return seconds


DURATION = _Duration()

socket_option = click.option(
    "--socket",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The daemon's Varlink socket, instead of NDFD_SOCKET or the usual places.",
)
