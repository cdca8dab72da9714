"""`ndfd tune revert`: puts back what was there before."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from ndfd.cli.config_values import warn
from ndfd.cli.options import Sources, sources_options
from ndfd.cli.tune_options import check_knobs, journal_of, json_option, kernel_of_this_machine, only_option
from ndfd.cli.tune_text import became, tell
from ndfd.model.tuning import KnobState, gravest


@click.command(short_help="Put back what was there before.")
@json_option
@only_option
@click.option("--forget", is_flag=True, help="Leave what somebody else has set since, and tell of it no more.")
@sources_options
def revert(as_json: bool, only: Sequence[str], forget: bool, sources: Sources) -> int:
    """Put back what was there before it was tuned, the last value that was written first.

    A value that somebody else has set since is left alone and told of, each time, until --forget. The rest of the
    configuration may have mistakes.

    \b
    Examples:
      sudo ndfd tune revert
      sudo ndfd tune revert --forget --only swappiness

    Exit status: see `ndfd tune --help`.
    """
    from ndfd.tuning.journal import Journal, read_changes
    from ndfd.tuning.outcomes import exit_status
    from ndfd.tuning.plan import boot_id
    from ndfd.tuning.revert import revert as put_back

    check_knobs(only)
    path, warnings = journal_of(sources)
    kernel = kernel_of_this_machine()
    boot = boot_id(kernel)
    states: tuple[KnobState, ...] = ()
    if read_changes(path, boot):
        with Journal(path, boot, time.time) as journal:
            states = put_back(kernel, journal, only, forget=forget).knobs
    tell("revert", states, became, as_json=as_json, preset=None, journal=path)
    warn(warnings)
    return exit_status(gravest(states))
