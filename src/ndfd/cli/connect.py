"""Which daemon a command talks to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ndfd.client import Client
from ndfd.client.private import PrivateDaemon
from ndfd.config.places import named_socket, usual_sockets
from ndfd.errors import NotPermitted, Unavailable


def running_daemon(socket: Path | None) -> Path:
    """The socket of a daemon that answers; `Unavailable` or `NotPermitted` when there is none.

    A socket that was named, by option or variable, is the only one tried.
    """
    named = socket or named_socket()
    if named is not None:
        Client.connect(named).close()
        return named
    refused: NotPermitted | None = None
    places = usual_sockets()
    for path in places:
        try:
            Client.connect(path).close()
        except Unavailable:
            continue
        except NotPermitted as error:
            refused = error
            continue
        return path
    raise refused or Unavailable("no daemon answers" + "".join(f" at {path}" for path in places[:1]))


@contextmanager
def daemon_socket(socket: Path | None, private: bool) -> Iterator[Path]:
    """The socket of a running daemon or, where none answers and none was named, of a private one for this block."""
    if not private:
        try:
            path = running_daemon(socket)
        except (Unavailable, NotPermitted) as error:
            if socket is not None or named_socket() is not None:
                raise
            click.echo(f"ndfd: {error}; starting a private one", err=True)
        else:
            yield path
            return
    with PrivateDaemon() as daemon:
        yield daemon.socket
