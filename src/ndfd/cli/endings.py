"""How a command ends: errors as one line each, and exit statuses that sysexits.h does not name."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Collection
from types import FrameType

from ndfd.errors import EX_DATAERR, NdfdError
from ndfd.model.printable import printable

#: What a shell reports of a program that a signal ended: 128 and the signal's number.
EX_INTERRUPTED = 128 + signal.SIGINT
EX_BROKEN_PIPE = 128 + signal.SIGPIPE


def one_line(error: NdfdError, subject: str | None = None) -> str:
    """An error as `SUBJECT: message (code); hint`, on one line of printable characters, whatever its parts hold."""
    message = f"{error} ({error.code})"
    if subject is not None and not message.startswith(f"{subject}:"):
        message = f"{subject}: {message}"
    if error.hint:
        message += f"; {error.hint}"
    return printable(" ".join(message.split()))


def lines_of(error: NdfdError) -> str:
    """`one_line`, and below it a line for each cause that the message only counts."""
    return "\n".join((one_line(error), *(printable(" ".join(detail.split())) for detail in error.details)))


def exit_status_of(failures: Collection[NdfdError]) -> int:
    """One status for several failures: their own when they agree, else that of bad data."""
    statuses = {failure.exit_status for failure in failures}
    if not statuses:
        return 0
    return statuses.pop() if len(statuses) == 1 else EX_DATAERR


def broken_pipe() -> int:
    """The reader of stdout is gone, as in `ndfd convert … | head`: ends as quietly as a program that SIGPIPE ends."""
    # Python flushes stdout once more when it exits; this gives that flush somewhere to go.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EX_BROKEN_PIPE


def end_on_signals() -> None:
    """Makes SIGTERM and SIGHUP end the command as Ctrl-C does: by unwinding, so that what it made is removed."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
