"""`ndfd backup`: all jobs, their documents and results in one file, while the daemon works."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import msgspec

from ndfd.cli.options import socket_option
from ndfd.cli.status import memory
from ndfd.errors import StoreDamaged, UsageError
from ndfd.model.jobs import BackupReport


@click.command(short_help="Back up all jobs while the daemon works.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar, and no word when all went well.")
@socket_option
def backup(file: Path, force: bool, as_json: bool, quiet: bool, socket: Path | None) -> None:
    """Write all jobs of the daemon, with their documents and results, as they are at one moment, into FILE.

    The daemon goes on meanwhile. FILE is a tar archive with the SHA-256 of everything in it; it has its name only when
    it has been read back and is whole, and only this user may read it: everybody's documents and their passwords are in
    it. With - it goes to stdout, and is not read back. `ndfd restore` puts it back.

    Finished jobs are in it as long as the daemon keeps them ([storage] keep_age and others).

    \b
    Examples:
      ndfd backup /srv/backup/ndfd-$(date +%F).tar
      ndfd backup - | ssh elsewhere 'cat > ndfd.tar'
      ndfd restore --verify-only ndfd.tar

    \b
    Exit status:
      0    done
      64   stdout is a terminal
      65   what was written is not whole
      69   no daemon answers
      73   FILE is there already, or cannot be written
      74   the daemon's own files are damaged; where some could not be read, FILE holds all others
      75   another backup is being made, or the daemon stopped meanwhile
      77   this user may not do that: root, the daemon's own user and [security] admins may
      130  interrupted; nothing is left
    """
    if str(file) == "-":
        _to_stdout(as_json, quiet, socket)
        return
    # The client and the store, 50 ms, which `ndfd --help` and the shell's completion do not need.
    from ndfd import platform
    from ndfd.cli.connect import running_daemon
    from ndfd.cli.partial_file import partial_file
    from ndfd.cli.transfer import transfer
    from ndfd.client import Client
    from ndfd.store.restore import verify

    progress = not quiet
    with partial_file(file, force=force) as (fd, partial):
        with (
            Client.connect(running_daemon(socket)) as client,
            transfer("writing", progress, lambda: os.fstat(fd).st_size),
        ):
            client.backup(fd)
        # What the page cache says of it is not what the disk has.
        platform.drop_from_cache(fd)
        with transfer("reading back", progress) as told:
            report = verify(partial, scratch=partial.parent, progress=told)
    if as_json:
        click.echo(msgspec.json.encode({"file": str(file), "report": report}))
    elif not quiet:
        click.echo(f"{file}: {summary(report)}")
    _judge(report, str(file))


def summary(report: BackupReport) -> str:
    """What a backup holds, in a few words."""
    files = f"{_counted(report.documents, 'document')}, {_counted(report.results, 'result')}"
    return f"{_counted(report.jobs, 'job')} ({files}, {memory(report.size_bytes)})"


def _to_stdout(as_json: bool, quiet: bool, socket: Path | None) -> None:
    if as_json:
        raise UsageError("--json needs a FILE: with - stdout is for the backup")
    if sys.stdout.isatty():
        raise UsageError(
            "stdout is a terminal, and a backup is no text", hint="name a FILE, or a pipe: ndfd backup - | …"
        )
    from ndfd.cli.connect import running_daemon
    from ndfd.client import Client

    with Client.connect(running_daemon(socket)) as client:
        report = client.backup(sys.stdout.fileno())
    if not quiet:
        click.echo(f"ndfd: {summary(report)}", err=True)
    _judge(report, "the backup")


def _judge(report: BackupReport, name: str) -> None:
    """`StoreDamaged` when the daemon's disk did not give all that it should have: the rest is worth having."""
    if report.damaged:
        raise StoreDamaged(
            f"{_counted(report.damaged, 'file')} of the daemon's spool are damaged or missing; {name} holds all others",
            hint="look at the disk (smartctl, dmesg); the jobs concerned run anew or fail when it is restored",
        )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
