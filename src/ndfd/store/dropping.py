"""Gives the blocks of files back that have no name any more, later, and in a thread that nobody waits for.

That takes a file system the longer, the larger the file (ext4: 3 ms for 5 MB, 35 ms for 100 MB), and holds up the syncs
that go on meanwhile: whoever waited for it could tell by the time that there was another file of the same bytes, or
that there was none, and so somebody else's.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque

#: Seconds: what was removed by an operation outlives its answer, and nobody knows for how long.
_DELAY_S = (0.5, 1.5)
#: Descriptors that wait so long; beyond it the oldest are closed as fast as it goes, which is faster than files come.
_WAITING_MAX = 256


class Dropping:
    """The thread begins with the first file."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        #: Descriptors, and the moments from which on they may be closed.
        self._waiting: deque[tuple[int, float]] = deque()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def drop(self, fd: int) -> None:
        """Closes the descriptor later."""
        with self._changed:
            if self._thread is None:
                self._stopped = False
                self._thread = threading.Thread(target=self._run, name="ndfd-store-drop")
                self._thread.start()
            self._waiting.append((fd, time.monotonic() + random.uniform(*_DELAY_S)))  # noqa: S311 - spreads, no secret
            # Not for each one: to wake a thread takes a time, too.
            if len(self._waiting) in (1, _WAITING_MAX + 1):
                self._changed.notify()

    def stop(self) -> None:
        """Returns when all are closed; another `drop` begins anew."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._stopped = True
            self._changed.notify()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while (fd := self._next()) is not None:
            os.close(fd)

    def _next(self) -> int | None:
        """Waits for the next one that may be closed; None when there will be none."""
        with self._changed:
            while True:
                if not self._waiting:
                    if self._stopped:
                        return None
                    self._changed.wait()
                    continue
                left_s = self._waiting[0][1] - time.monotonic()
                if left_s <= 0 or self._stopped or len(self._waiting) > _WAITING_MAX:
                    return self._waiting.popleft()[0]
                self._changed.wait(left_s)
