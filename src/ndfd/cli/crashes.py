"""`ndfd crashes`: the documents that ended their workers, and how."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from ndfd.cli.options import socket_option
from ndfd.cli.status import memory
from ndfd.model.crash import CrashCause, CrashReport, Stage


@click.command(short_help="Show which conversions ended their workers, and how.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of text.")
@socket_option
def crashes(as_json: bool, socket: Path | None) -> None:
    """Show the last conversions that ended their workers: the cause, the page, the user. Newest last.

    Nothing of a document is kept, not even its name: the number of the conversion is that of the daemon's log. Everyone
    sees what their own documents did; administrators see all.

    \b
    Examples:
      ndfd crashes
      ndfd crashes --json | jq '.[] | select(.cause == "sandbox_violation")'

    \b
    Exit status:
      0   the daemon answered
      69  no daemon answers
      77  this user may not ask it

    \b
    Environment:
      NDFD_SOCKET                 the daemon's socket
      NDFD_NETWORK__SOCKET_DIR    the folder of the daemon's sockets
    """
    # The client, 30 ms, which `ndfd --help` and the shell's completion do not need.
    from ndfd.cli.connect import running_daemon
    from ndfd.client import Client

    with Client.connect(running_daemon(socket)) as client:
        reports = client.crashes()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(reports), indent=2))
    elif reports:
        click.echo("\n\n".join("\n".join(_paragraph(report)) for report in reports))
    else:
        click.echo("no document has ended its worker")


def _paragraph(report: CrashReport) -> Iterator[str]:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(report.at))
    yield f"{when}  {_cause(report)} {_where(report)}"
    again = "" if report.attempt == 1 else ", the second attempt"
    size = f"{report.size_bytes} bytes to {report.format.value}"
    yield f"    conversion {report.conversion} of user {report.uid}{again}; {size}; {report.code}"
    used = f", at most {memory(report.rss_max_bytes)}" if report.rss_max_bytes else ""
    yield f"    worker {report.worker}, pid {report.pid}, {report.served} served before{used}; {report.engine}"


def _cause(report: CrashReport) -> str:
    match report.cause:
        case CrashCause.SANDBOX_VIOLATION:
            return f"attempted {report.call or 'a system call of another table'}"
        case CrashCause.CRASH if report.signal is not None:
            return f"killed by {report.signal}"
        case CrashCause.CRASH if report.exit_status is not None:
            return f"exited with status {report.exit_status}"
        case CrashCause.CRASH:
            return "ended, and nobody saw how"
        case CrashCause.TIMEOUT:
            return "not done at its deadline"
        case CrashCause.MEMORY:
            return "used up its memory"
        case CrashCause.CPU:
            return "used up its CPU time"
        case CrashCause.PROTOCOL:
            return "broke the protocol"


def _where(report: CrashReport) -> str:
    if report.stage is Stage.OPENING:
        return "while the document was opened"
    if report.stage is Stage.FINISHING:
        return f"after the last of {report.pages} pages"
    return f"on page {report.page} of {report.pages}"
