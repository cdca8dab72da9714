"""What PID 1 owes to others: processes whose parent has ended become its children, and stay zombies until it reaps
them. So it is in a container, where whatever is run beside the daemon, as an operator's shell, may leave some behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal

from ndfd import platform

_log = logging.getLogger(__name__)

#: Seconds for which an ended child is left to whoever started it. A thread that waits for a child has it at once, the
#: event loop by its pidfd in the same turn, and a worker whose zygote ended is waited for at most for a second.
GRACE_S = 5.0


class Orphans:
    """Reaps ended children that nobody has waited for; only where this process is given those of others.

    Wakes on SIGCHLD, and by a timer only while there are some.
    """

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        #: By the process's number: a descriptor that means this process alone, and since when it is known as ended.
        self._ended: dict[int, tuple[int, float]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins, where it is needed, and with those that have ended before."""
        if platform.process.adopts_orphans():
            loop.add_signal_handler(signal.SIGCHLD, self._look, loop)
            self._look(loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Descriptors keep a number that is given to a new child from being taken for the one that was here."""
        now = loop.time()
        there = platform.process.ended_children()
        for pid in self._ended.keys() - there:
            os.close(self._ended.pop(pid)[0])
        for pid in there - self._ended.keys():
            # It may have been reaped since.
            with contextlib.suppress(OSError):
                self._ended[pid] = (platform.pidfd(pid), now)
        for pid, (pidfd, since) in list(self._ended.items()):
            if now - since >= self._grace_s:
                exit_code = platform.reap(pidfd)
                os.close(pidfd)
                del self._ended[pid]
                _log.debug("an orphan was reaped", extra={"pid": pid, "exit_code": exit_code})
        self._look_again(loop)

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ended:
            due = min(since for _, since in self._ended.values()) + self._grace_s
            self._timer = loop.call_at(due, self._look, loop)
