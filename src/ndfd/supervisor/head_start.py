"""A zygote that is on its way before there is a pool, an event loop, or most of the daemon's code."""

from __future__ import annotations

import os

from ndfd.supervisor.zygote_process import Started, ZygoteOptions, start


class HeadStart:
    """Its process, for whoever takes it over with `Zygote(options, head_start)`; else `discard`."""

    def __init__(self, options: ZygoteOptions) -> None:
        """`WorkerStartFailed`, and nothing left, when it cannot be started."""
        self.options = options
        #: Reading and writing end of what it prints.
        self.pipe = os.pipe()
        try:
            self.started: Started = start(options, self.pipe[1])
        except BaseException:
            self._close_pipe()
            raise

    def discard(self) -> None:
        """Ends it, when nobody has taken it over."""
        self.started.discard()
        self._close_pipe()

    def _close_pipe(self) -> None:
        for fd in self.pipe:
            os.close(fd)
