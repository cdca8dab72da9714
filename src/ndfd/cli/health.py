"""`ndfd health`: whether the daemon would convert a document now, for scripts and the health checks of containers.

It is run every few seconds for ever, so it asks the HTTP door by hand: no client, no message format is imported.
"""

from __future__ import annotations

import json
import os
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ndfd.cli.options import DURATION
from ndfd.config.places import HTTP_SOCKET, named_socket, usual_sockets
from ndfd.errors import EX_TEMPFAIL, NdfdError, NotPermitted, Unavailable
from ndfd.model.printable import printable

if TYPE_CHECKING:
    import socket

_REQUEST = b"GET /health HTTP/1.1\r\nHost: ndfd\r\nConnection: close\r\n\r\n"
#: Of an answer, which has some 300.
_ANSWER_MAX_BYTES = 64 * 1024


@click.command(short_help="Say whether the running daemon would convert a document now.")
@click.option(
    "--socket",
    "named",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A socket of the daemon, or the folder of its sockets, instead of NDFD_SOCKET or the usual places.",
)
@click.option("--timeout", "timeout_s", type=DURATION, default="5", show_default=True, help="Time for the answer.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@click.option("-q", "--quiet", is_flag=True, help="Only the exit status.")
def health(named: Path | None, timeout_s: float, as_json: bool, quiet: bool) -> int:
    """Say whether the running daemon would convert a document that is handed in now.

    It asks GET /health of the daemon's HTTP socket, and says what came of it on one line.

    \b
    Examples:
      ndfd health
      ndfd health --timeout 2 --quiet && ndfd convert report.pdf
      HEALTHCHECK CMD ["ndfd", "health", "--timeout", "4"]      in a Containerfile

    \b
    Exit status:
      0   it would
      69  no daemon answers: there is none, it starts, or it hangs
      75  a daemon answers, and would not: it stops, or has no worker that works
      77  this user may not ask it

    \b
    Environment:
      NDFD_SOCKET                 the daemon's socket
      NDFD_NETWORK__SOCKET_DIR    the folder of the daemon's sockets
    """
    begun = time.monotonic()
    found: dict[str, Any]
    try:
        path, reason = _asked(named, begun + timeout_s, timeout_s)
        status = EX_TEMPFAIL if reason else os.EX_OK
        found = {"status": "unavailable" if reason else "ok", "socket": str(path)}
    except (Unavailable, NotPermitted) as error:
        if not as_json and not quiet:
            raise
        status, reason = error.exit_status, str(error)
        found = {"status": error.code}
    took_ms = (time.monotonic() - begun) * 1000
    if as_json:
        click.echo(json.dumps({**found, **({"reason": reason} if reason else {}), "took_ms": round(took_ms, 1)}))
    elif not quiet:
        click.echo(
            f"not healthy: {printable(reason)}"
            if reason
            else f"healthy: {found['socket']} answered in {took_ms:.0f} ms"
        )
    return status


def _asked(named: Path | None, until: float, timeout_s: float) -> tuple[Path, str | None]:
    """The socket that answered, and why the daemon is not healthy; `Unavailable` or `NotPermitted` for none."""
    refused: NdfdError | None = None
    places = _places(named)
    for path in places:
        try:
            return path, _ask(path, until, timeout_s)
        except FileNotFoundError:
            continue
        except OSError as error:
            refused = refused or _why(path, error, timeout_s)
    raise refused or Unavailable(f"no daemon answers at {places[-1]}: it is not there, or is starting")


def _places(named: Path | None) -> list[Path]:
    """The HTTP sockets to try: the one that lies beside the socket that is named."""
    chosen = named or named_socket()
    if chosen is None:
        return [path.with_name(HTTP_SOCKET) for path in usual_sockets()]
    return [chosen / HTTP_SOCKET if chosen.is_dir() else chosen.with_name(HTTP_SOCKET)]


def _ask(path: Path, until: float, timeout_s: float) -> str | None:
    """Why the daemon there is not healthy, in its words. OSError when it does not answer."""
    # 5 ms, which other commands that need it import with the client.
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        _limit(connection, socket.SO_SNDTIMEO, until)
        connection.connect(os.fspath(path))
        connection.sendall(_REQUEST)
        answer = b""
        while len(answer) < _ANSWER_MAX_BYTES:
            _limit(connection, socket.SO_RCVTIMEO, until)
            data = connection.recv(4096)
            if not data:
                break
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    try:
        status, said = int(head.split(b" ", 2)[1]), json.loads(body)
        if status == 200 and said["status"] == "ok":
            return None
        return str(said.get("reason") or said.get("detail") or said["status"])
    except (ValueError, IndexError, KeyError, TypeError, AttributeError):
        if not answer:
            raise ConnectionResetError("the connection was closed without an answer") from None
        raise Unavailable(f"what answers at {path} is no ndfd") from None


def _limit(connection: socket.socket, option: int, until: float) -> None:
    """Not settimeout: a Unix socket that does not block fails at once while the listener's queue is full."""
    import socket

    left_s = max(until - time.monotonic(), 0.001)
    connection.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", int(left_s), int(left_s % 1 * 1e6)))


def _why(path: Path, error: OSError, timeout_s: float) -> NdfdError:
    if isinstance(error, PermissionError):
        return NotPermitted(
            f"{path}: this user may not use the daemon's socket",
            hint=f"ask the administrator for membership in the socket's group: ls -l {path}",
        )
    if isinstance(error, BlockingIOError):
        return Unavailable(
            f"the daemon at {path} did not answer for {timeout_s:g} s",
            hint="it hangs, or is overloaded: kill -USR1 PID has it write what it is at into its log",
        )
    return Unavailable(f"no daemon answers at {path}: {error.strerror or error}")
