"""`ndfd tune plan`: what would be written."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ndfd.cli.config_values import warn
from ndfd.cli.options import Sources, sources_options
from ndfd.cli.tune_options import json_option, only_option, scene_of
from ndfd.cli.tune_text import planned, tell
from ndfd.model.tuning import gravest


@click.command(short_help="Show what would be written, by whom, and how.")
@json_option
@only_option
@sources_options
def plan(as_json: bool, only: Sequence[str], sources: Sources) -> int:
    """Show what `ndfd tune apply` would write: the value that is there, the one that is wanted, who has to write it,
    and the command of a shell that does the same. Nothing is changed.

    \b
    Examples:
      ndfd tune plan
      ndfd tune plan --set tuning.preset=latency
      ndfd tune plan --only swappiness --set tuning.swappiness=10
      ndfd tune plan --json | jq -r '.knobs[].command // empty'

    Exit status: see `ndfd tune --help`.
    """
    from ndfd.tuning.outcomes import exit_status

    scene = scene_of(sources, only)
    states = scene.plan(only).knobs
    tell("plan", states, planned, as_json=as_json, preset=scene.preset, journal=scene.journal)
    warn(scene.warnings)
    return exit_status(gravest(states))
