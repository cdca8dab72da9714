"""`ndfd service uninstall`: the daemon is no service any more."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ndfd.cli.service_options import dry_run_option, force_option, json_option, root_option, service_options
from ndfd.cli.service_text import do
from ndfd.errors import UsageError

if TYPE_CHECKING:
    from ndfd.service.manager import Manager


@click.command(short_help="Stop it and take it away.")
@service_options
@click.option("--purge", is_flag=True, help="With its jobs, its configuration, its logs and its user.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before --purge.")
@root_option
@dry_run_option
@force_option
@json_option
def uninstall(
    manager: Manager,
    purge: bool,
    yes: bool,
    root: str | None,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Stop the service and take away what `ndfd service install` brought.

    Jobs, configuration, logs, drop-ins and the user ndfd stay, unless --purge is given. What was tuned of the system is
    put back first. With --instance, only that one is stopped and disabled.

    \b
    Examples:
      sudo ndfd service uninstall --dry-run
      sudo ndfd service uninstall
      sudo ndfd service uninstall --purge --yes

    Exit status: see `ndfd service --help`.
    """
    from ndfd.service.manager import Uninstall

    plan = manager.uninstall(Uninstall(purge, force, None if root is None else Path(root).absolute()))
    if not plan.changes():
        plan_notes = ("nothing is installed", *plan.notes)
        plan = type(plan)((), plan_notes)
    elif purge and not (yes or dry_run):
        _ask(manager.left_by_purge())
    do("uninstall", plan, manager, as_json=as_json, dry_run=dry_run)


def _ask(folders: tuple[Path, ...]) -> None:
    """click.Abort when the answer is no; `UsageError` where nobody can be asked."""
    if not folders:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"--purge removes {', '.join(map(str, folders))} for good", hint="add --yes if that is wanted")
    click.echo("These folders are removed, and cannot be brought back:", err=True)
    for folder in folders:
        click.echo(f"  {folder}", err=True)
    click.confirm("Remove them?", abort=True, err=True)
