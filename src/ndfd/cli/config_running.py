"""The option --running: the daemon's configuration instead of what the files say now."""

from __future__ import annotations

from pathlib import Path

import click

from ndfd.cli.options import Sources
from ndfd.errors import UsageError
from ndfd.model.configuration import Configuration

running_option = click.option("--running", is_flag=True, help="Ask the running daemon.")


def refuse_contradiction(running: bool, socket: Path | None, sources: Sources) -> None:
    """`UsageError` for options that would have no effect."""
    if running:
        sources.refuse_beside("--running")
    elif socket is not None:
        raise UsageError("--socket names a daemon to ask: it goes with --running")


def running_configuration(socket: Path | None) -> Configuration:
    """That of the daemon; `Unavailable` when none answers, `NotPermitted` when this user may not know it."""
    from ndfd.cli.connect import running_daemon
    from ndfd.client import Client

    with Client.connect(running_daemon(socket)) as client:
        return client.configuration()
