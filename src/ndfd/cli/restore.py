"""`ndfd restore`: puts a backup in the place of a daemon's state, or looks whether it could be."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec

from ndfd.cli.backup import summary
from ndfd.model.printable import printable


@click.command(short_help="Put a backup back, or check one.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The daemon's state folder ([storage] state_dir), instead of the usual one.",
)
@click.option("--replace", is_flag=True, help="Put it in the place of what is there, which is kept as DIR.before-TIME.")
@click.option("--verify-only", is_flag=True, help="Read all of it, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar, and no word when all went well.")
def restore(file: Path, state_dir: Path | None, replace: bool, verify_only: bool, as_json: bool, quiet: bool) -> None:
    """Put the backup FILE in the place of the state of a daemon, which must not run.

    All of FILE is checked first: nothing of it is put in place before everything has been found whole. Jobs that ran
    when it was made wait in the queue again, and begin when the daemon is started. DIR is exchanged at one stroke:
    after an error or Ctrl-C it is as it was. Root gives the files to whom DIR belongs.

    The usual DIR is /var/lib/ndfd for root, and $XDG_STATE_HOME/ndfd or ~/.local/state/ndfd for others.

    \b
    Examples:
      ndfd restore --verify-only ndfd.tar
      systemctl stop ndfd && ndfd restore --replace ndfd.tar && systemctl start ndfd

    \b
    Exit status:
      0    done
      65   FILE is no backup, is not whole, or is of a newer ndfd
      66   FILE cannot be read
      73   DIR cannot be written, or has no room
      74   a daemon runs in DIR, or it is not empty and --replace was not given
      130  interrupted; nothing has changed
    """
    # The store, 20 ms, which `ndfd --help` and the shell's completion do not need.
    from ndfd.cli.transfer import transfer
    from ndfd.config.places import default_state_dir
    from ndfd.store.restore import restore as put_back
    from ndfd.store.restore import verify

    folder = state_dir
    former: Path | None = None
    with transfer("checking" if verify_only else "restoring", not quiet) as told:
        if verify_only:
            report = verify(file, progress=told)
        else:
            folder = state_dir or default_state_dir()
            report, former = put_back(file, folder, replace=replace, progress=told)
    if as_json:
        where = None if verify_only else str(folder)
        answer = {"file": str(file), "state_dir": where, "former": former and str(former), "report": report}
        click.echo(msgspec.json.encode(answer))
        return
    if quiet:
        return
    made = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(report.made_at))
    origin = printable(f"made on {made} by ndfd {report.version}")
    click.echo(f"{file}: {summary(report)}, {origin}, is whole{'' if verify_only else f', and is now {folder}'}")
    if report.damaged:
        click.echo(f"{report.damaged} files were damaged or missing when it was made: see `ndfd backup --help`")
    if former is not None:
        click.echo(f"what was there before is kept as {former}")
