"""Signals that come before the daemon can answer them: what Python or the kernel would do by itself is wrong then."""

from __future__ import annotations

import signal
from types import FrameType

#: The daemon's own: a reload, its state, new log files. By default each ends the process.
_LATER = ("SIGHUP", "SIGUSR1", "SIGUSR2")


def hold_signals() -> None:
    """From now on SIGTERM ends this process in order, and what asks a running daemon for something does nothing.

    As PID 1 of a container it would otherwise not even hear SIGTERM: the kernel keeps from it what it has no handler
    for (pid_namespaces(7)). These are handlers, and not SIG_IGN, which the processes that it starts would inherit.
    """
    signal.signal(signal.SIGTERM, _end)
    for number in (getattr(signal, name, None) for name in _LATER):
        if number is not None:
            signal.signal(number, _not_yet)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _not_yet(number: int, frame: FrameType | None) -> None:
    """Nothing is there yet that could do it."""
