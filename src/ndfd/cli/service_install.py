"""`ndfd service install`: the daemon becomes a service of the system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ndfd.cli.service_options import dry_run_option, force_option, json_option, root_option, service_options
from ndfd.cli.service_text import do, print_status

if TYPE_CHECKING:
    from ndfd.service.manager import Manager


@click.command(short_help="Install, enable and start it.")
@service_options
@click.option("--no-enable", is_flag=True, help="Do not have it started with the machine.")
@click.option("--no-start", is_flag=True, help="Do not start it now.")
@click.option("--with-tuning", is_flag=True, help="With ndfd-tune.service, which tunes the system ([tuning]).")
@click.option(
    "--command",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The command that the service runs.  [default: this one; with --root, /usr/bin/ndfd]",
)
@click.option(
    "--systemd-version",
    type=click.IntRange(1),
    metavar="N",
    help="Write units for it.  [default: that of this machine]",
)
@root_option
@dry_run_option
@force_option
@json_option
def install(
    manager: Manager,
    no_enable: bool,
    no_start: bool,
    with_tuning: bool,
    command: Path | None,
    systemd_version: int | None,
    root: str | None,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Install the daemon as a service, have it started with the machine, start it and wait until it serves.

    Under systemd that is: the user and group ndfd, the units in /etc/systemd/system with the path of this command,
    and the folders they need. All of it is undone when a step fails, also when the daemon does not start.

    A second time, what is the same already is left alone; after an upgrade, the units are written anew and the daemon
    is restarted. A unit that somebody has changed is never written over without --force: put changes into a drop-in
    (`systemctl edit ndfd`).

    \b
    Examples:
      sudo ndfd service install --dry-run         what would be done
      sudo ndfd service install
      sudo ndfd service install --instance fast   one more, beside the others
      ndfd service install --user
      ndfd service install --root debian/ndfd     the files of a package

    Exit status: see `ndfd service --help`.
    """
    from ndfd.service.manager import Install

    wish = Install(
        command,
        enable=not no_enable,
        start=not no_start,
        tuning=with_tuning,
        force=force,
        package=None if root is None else Path(root).absolute(),
        systemd=systemd_version,
    )
    do("install", manager.install(wish), manager, as_json=as_json, dry_run=dry_run)
    if not (as_json or dry_run or no_start) and root is None:
        print_status(manager.status(), as_json=False)
