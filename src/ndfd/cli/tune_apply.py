"""`ndfd tune apply`: writes what the plan says."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from ndfd.cli.config_values import warn
from ndfd.cli.options import Sources, sources_options
from ndfd.cli.tune_options import json_option, only_option, scene_of
from ndfd.cli.tune_text import became, tell
from ndfd.model.tuning import gravest


@click.command(short_help="Write what the plan says.")
@json_option
@only_option
@sources_options
def apply(as_json: bool, only: Sequence[str], sources: Sources) -> int:
    """Write what `ndfd tune plan` shows, and read each value back. What is no longer wanted is put back.

    Before each value is written, what was there is on the disk. It may be run again at any time.

    \b
    Examples:
      sudo ndfd tune apply
      sudo ndfd tune apply --only transparent_hugepages --json

    Exit status: see `ndfd tune --help`.
    """
    from ndfd.tuning.apply import apply as write
    from ndfd.tuning.journal import Journal
    from ndfd.tuning.outcomes import exit_status

    scene = scene_of(sources, only)
    plan = scene.plan(only)
    states = plan.knobs
    if plan.writes():
        with Journal(scene.journal, scene.boot, time.time) as journal:
            states = write(scene.kernel, plan, journal).knobs
    tell("apply", states, became, as_json=as_json, preset=scene.preset, journal=scene.journal)
    warn(scene.warnings)
    return exit_status(gravest(states))
