"""`ndfd tune verify`: whether all is as wanted."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ndfd.cli.config_values import warn
from ndfd.cli.options import Sources, sources_options
from ndfd.cli.tune_options import json_option, only_option, scene_of
from ndfd.cli.tune_text import compared, tell
from ndfd.model.tuning import gravest


@click.command(short_help="Check whether all is as wanted.")
@json_option
@only_option
@sources_options
def verify(as_json: bool, only: Sequence[str], sources: Sources) -> int:
    """Show the expected and the actual value of each knob. Nothing is changed.

    \b
    Examples:
      ndfd tune verify
      ndfd tune verify --only swappiness || sudo ndfd tune apply

    Exit status: see `ndfd tune --help`.
    """
    from ndfd.tuning.outcomes import exit_status
    from ndfd.tuning.plan import verify as compare

    scene = scene_of(sources, only)
    states = compare(scene.plan(only)).knobs
    tell("verify", states, compared, as_json=as_json, preset=scene.preset, journal=scene.journal)
    warn(scene.warnings)
    return exit_status(gravest(states))
