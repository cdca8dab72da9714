"""Submissions on their way into the store."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from ndfd.admission import JobLoad
from ndfd.store import Load


class Incoming:
    """Counts them with what the store has: or else those that come together would all find the last place free."""

    def __init__(self) -> None:
        self._jobs: Counter[int] = Counter()
        self._bytes: Counter[int] = Counter()

    def with_those(self, uid: int, load: Load) -> JobLoad:
        """What waits and runs, with what is about to. One that is just being committed may count twice for a moment."""
        return JobLoad(
            jobs=load.jobs + self._jobs.total(),
            jobs_of_user=load.jobs_of_user + self._jobs[uid],
            bytes=load.bytes + self._bytes.total(),
            bytes_of_user=load.bytes_of_user + self._bytes[uid],
        )

    @contextlib.contextmanager
    def one_more(self, uid: int, size_bytes: int) -> Iterator[None]:
        """Counts one for the length of the block."""
        self._jobs[uid] += 1
        self._bytes[uid] += size_bytes
        try:
            yield
        finally:
            self._jobs[uid] -= 1
            self._bytes[uid] -= size_bytes
            if not self._jobs[uid]:
                # Keeps the table as small as the number of users at work.
                del self._jobs[uid], self._bytes[uid]
