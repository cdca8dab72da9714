"""`ndfd run`: the daemon in the foreground."""

from __future__ import annotations

import contextlib
import gc
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from ndfd import __version__
from ndfd.cli.held_signals import hold_signals
from ndfd.cli.options import LAYERS_HELP, Sources, sources_options
from ndfd.errors import NdfdError


@click.command(epilog=LAYERS_HELP)
@click.option("--private", "private_dir", type=click.Path(path_type=Path), metavar="DIR", hidden=True)
@click.option("--owner-fd", type=click.IntRange(0), metavar="N", hidden=True)
@sources_options
def run(private_dir: Path | None, owner_fd: int | None, sources: Sources) -> int:
    """Run the daemon in the foreground.

    It prints one line with its sockets on stdout when it is ready: when a worker has converted a built-in document.
    Its log goes to stderr. There is one daemon for each socket folder; a second one is refused.

    SIGTERM lets running conversions end, for 30 seconds at most ([runtime] drain_timeout), and takes no new ones.
    SIGINT (Ctrl-C) cancels them; a second SIGINT ends the daemon on the spot. SIGUSR1 writes the daemon's state into
    its log: what it is at, its tasks and the stacks of its threads. SIGUSR2 opens the log file anew, for whoever has
    moved it away.

    A service manager that speaks sd_notify(3) hears how it is, and may hand it its sockets (sd_listen_fds(3)).

    It is configured by TOML files, variables and --set; `ndfd config reference` lists the keys. Any mistake, also an
    unknown key, keeps it from starting; `ndfd config check` names them all. SIGHUP and `ndfd reload` have it read its
    configuration again. NDFD_NATIVE=python runs the slow reference of the compiled kernels.

    \b
    Files, in the socket folder:
      ndfd.sock    Varlink (varlink.org): ndfd convert, varlinkctl
      http.sock    HTTP/1.1: curl --unix-socket …/http.sock http://ndfd/health
      ndfd.lock    held by the daemon

    \b
    Examples:
      ndfd run
      ndfd run --set swarm.workers=2 --set logging.level=debug
      NDFD_NETWORK__SOCKET_DIR=/tmp/ndfd ndfd run

    \b
    Exit status:
      0    stopped by SIGTERM or SIGINT
      69   the sockets cannot be made, or another daemon runs there
           this host cannot confine workers: see ndfd doctor
      75   no worker can be started, or none converts the built-in document
      78   wrong configuration
    """
    hold_signals()
    # The program that owns this daemon, a client or a service host, reads each line of its stdout as JSON.
    owned = private_dir is not None or owner_fd is not None
    try:
        with _no_cycles_sought() as seek:
            # 250 ms that no other command pays.
            from ndfd.daemon import run as run_daemon

            def ready(sockets: tuple[str, ...]) -> None:
                _say_ready(sockets, owned)
                seek()

            return run_daemon(sources.context(), ready, owner_fd=owner_fd, private_dir=private_dir)
    except NdfdError as error:
        if owned:
            told = {"code": error.code, "message": str(error), "hint": error.hint, "details": error.details}
            _say_line(json.dumps({"error": told}))
        raise


@contextlib.contextmanager
def _no_cycles_sought() -> Iterator[Callable[[], None]]:
    """Pauses the cyclic collector until what it gives is called: a tenth of the start went into passes over code.

    That code stays as long as the daemon, and later passes leave it out (gc.freeze in Python's documentation).
    """

    def seek() -> None:
        gc.freeze()
        gc.enable()

    gc.disable()
    try:
        yield seek
    finally:
        gc.enable()


def _say_ready(sockets: tuple[str, ...], owned: bool) -> None:
    _say_line(json.dumps({"sockets": sockets}) if owned else f"ndfd {__version__} is ready: {' '.join(sockets)}")


def _say_line(line: str) -> None:
    try:
        click.echo(line)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever asked is gone; a daemon with an owner learns that from the owner's pipe as well.
        return
