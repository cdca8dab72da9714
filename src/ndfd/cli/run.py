"""`ndfd run`: the daemon in the foreground."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ndfd import __version__
from ndfd.errors import NdfdError


@click.command()
@click.option("--private", "folder", type=click.Path(path_type=Path), metavar="DIR", hidden=True)
@click.option("--owner-fd", type=click.IntRange(0), metavar="N", hidden=True)
def run(folder: Path | None, owner_fd: int | None) -> int:
    """Run the daemon in the foreground.

    It prints one line with its sockets on stdout when it is ready: when a worker has converted a built-in document.
    Its log goes to stderr. There is one daemon for each socket folder; a second one is refused.

    SIGTERM lets running conversions end, for 30 seconds at most, and takes no new ones. SIGINT (Ctrl-C) cancels them;
    a second SIGINT ends the daemon on the spot.

    \b
    Environment, with the defaults:
      NDFD_SWARM__WORKERS=auto                 worker processes; auto: one for each core
      NDFD_SWARM__WORKER_MEMORY=4GB            address space of one worker
      NDFD_SWARM__JOBS_PER_WORKER=500          conversions after which a worker is replaced
      NDFD_SWARM__MAX_QUEUE=256                conversions that may wait for a worker
      NDFD_SWARM__MAX_PER_USER=128             conversions of one user, waiting or running
      NDFD_NETWORK__SOCKET_DIR                 folder of the sockets
                                               [root: /run/ndfd; others: $XDG_RUNTIME_DIR/ndfd]
      NDFD_NETWORK__SOCKET_MODE=0660           permissions of the sockets
      NDFD_DOCUMENT__MAX_SIZE=2GB              size of one document
      NDFD_DOCUMENT__DEFAULT_DEADLINE=5m       time for a conversion whose caller names none
      NDFD_DOCUMENT__MAX_DEADLINE=1h           time that a caller may ask for
      NDFD_DOCUMENT__FALLBACK_FONT_DIRS        folders of fonts for Chinese, Japanese and Korean,
                                               separated by ":"  [searched on the system]
      NDFD_LOGGING__LEVEL=info                 debug, info, warning or error
      NDFD_LOGGING__FORMAT=auto                console, json; auto: console on a terminal
      NDFD_NATIVE=c                            python: the slow reference of the compiled kernels

    \b
    Files, in the socket folder:
      ndfd.sock    Varlink (varlink.org): ndfd convert, varlinkctl
      http.sock    HTTP/1.1: curl --unix-socket …/http.sock http://ndfd/health
      ndfd.lock    held by the daemon

    \b
    Examples:
      ndfd run
      NDFD_SWARM__WORKERS=2 NDFD_LOGGING__LEVEL=debug ndfd run

    \b
    Exit status:
      0    stopped by SIGTERM or SIGINT
      69   the sockets cannot be made, or another daemon runs there
      75   no worker can be started, or none converts the built-in document
      78   wrong configuration
    """
    # A client that starts this daemon for itself reads each line of its stdout as JSON.
    private = folder is not None
    try:
        # 250 ms that no other command pays.
        from ndfd.config.environment import load_settings
        from ndfd.daemon import run as run_daemon

        settings = load_settings()
        if folder is not None:
            settings = settings.in_socket_dir(folder)
        return run_daemon(settings, lambda sockets: _say_ready(sockets, private), owner_fd=owner_fd, private=private)
    except NdfdError as error:
        if private:
            _say_line(json.dumps({"error": {"code": error.code, "message": str(error), "hint": error.hint}}))
        raise


def _say_ready(sockets: tuple[str, ...], private: bool) -> None:
    _say_line(json.dumps({"sockets": sockets}) if private else f"ndfd {__version__} is ready: {' '.join(sockets)}")


def _say_line(line: str) -> None:
    try:
        click.echo(line)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever asked is gone; a private daemon learns that from its owner's pipe as well.
        return
