"""`ndfd tune status`: what there is."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ndfd.cli.config_values import warn
from ndfd.cli.options import Sources, sources_options
from ndfd.cli.tune_options import json_option, only_option, scene_of
from ndfd.cli.tune_text import present, tell


@click.command(short_help="Show what there is, and what was before.")
@json_option
@only_option
@sources_options
def status(as_json: bool, only: Sequence[str], sources: Sources) -> None:
    """Show the value of each knob, and what it was before it was tuned. Nothing is judged, and nothing changed.

    \b
    Examples:
      ndfd tune status
      ndfd tune status --json | jq '.knobs[] | select(.original != null)'

    \b
    Exit status:
      0   shown
    """
    from ndfd.tuning.plan import status as seen

    scene = scene_of(sources, only)
    states = seen(scene.plan(only)).knobs
    tell("status", states, present, as_json=as_json, preset=scene.preset, journal=scene.journal)
    warn(scene.warnings)
