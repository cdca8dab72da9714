"""The circuit against crash loops: when workers may be started, and when nobody should wait for one.

A function of what happened and when: it has no clock and no process. A failure is a worker that could not be started,
or that ended before it had seen any document. What happens to a worker after that may be the document's doing, and is
none: or a user could stop the service for all others with documents that kill their workers.
"""

from __future__ import annotations

import enum
from collections import deque

from ndfd.supervisor.back_off import FIRST_S, LAST_S

#: Failures within `WINDOW_S` that open it. With the pauses between them that is most of a second: longer than what
#: passes by itself (a fork refused for a moment, a zygote replaced), shorter than anybody's deadline.
FAILURES_MAX = 5
WINDOW_S = 60.0

#: Seconds that a trial worker has to live to count as sound when nothing asks it for a conversion: some hundred times
#: what it takes from the fork to the first job.
PROBATION_S = 1.0


class State(enum.StrEnum):
    """Of the circuit."""

    #: Workers are started as they are wanted; after a failure, after a pause.
    CLOSED = "closed"
    #: No worker is started.
    OPEN = "open"
    #: One worker is started on trial.
    HALF_OPEN = "half-open"


class Circuit:
    """Closed → open by one failure too many → half-open after a pause → closed, or open for twice as long."""

    def __init__(self) -> None:
        self.state = State.CLOSED
        #: When the next worker may be started; None while one may be.
        self.retry_at: float | None = None
        #: Why it is not closed, or why there is a pause.
        self.reason = ""
        #: Moments of the failures that count.
        self._failures: deque[float] = deque()
        #: Failures since it opened.
        self._trials = 0
        self._last_failure_at = float("-inf")

    def failed(self, reason: str, now: float) -> float | None:
        """Counts a failure; seconds until `retry`, None when that is due already.

        Failures during one pause are one: they have one cause, such as a fork that is refused to eight workers at once.
        """
        self.reason = reason
        self._last_failure_at = now
        if self.retry_at is not None:
            return None
        self._failures.append(now)
        while self._failures[0] <= now - WINDOW_S:
            self._failures.popleft()
        if self.state is not State.CLOSED or len(self._failures) >= FAILURES_MAX:
            self.state = State.OPEN
            self._trials += 1
        pause_s = min(FIRST_S * 2.0 ** (len(self._failures) - 1), LAST_S)
        if self.state is State.OPEN:
            pause_s = min(FIRST_S * 2.0 ** (FAILURES_MAX + self._trials - 2), LAST_S)
        self.retry_at = now + pause_s
        return pause_s

    def retry(self) -> None:
        """The pause is over."""
        self.retry_at = None
        if self.state is State.OPEN:
            self.state = State.HALF_OPEN

    def proved(self, started_at: float) -> bool:
        """A worker started at that moment lived until it had a document, or for `PROBATION_S`; whether that closed it.

        How it fared with the document is no matter: or documents that kill their workers could keep it from closing.
        """
        if not self.is_new(started_at) or self.state is State.OPEN:
            return False
        was_open = self.state is State.HALF_OPEN
        self.state = State.CLOSED
        self._failures.clear()
        self._trials = 0
        return was_open

    def is_new(self, started_at: float) -> bool:
        """Whether a worker started at that moment can prove anything: those from before the last failure cannot."""
        return started_at > self._last_failure_at

    def startable(self, missing: int, on_trial: int) -> int:
        """How many of the `missing` workers may be started now, when so many new ones have not proved themselves."""
        if self.retry_at is not None:
            return 0
        return missing if self.state is State.CLOSED else min(missing, max(0, 1 - on_trial))

    def again(self, now: float) -> str:
        """When the next worker is started, as the end of a sentence."""
        return "is on trial now" if self.retry_at is None else f"is tried in {max(self.retry_at - now, 0.0):.1f} s"

    def says(self, now: float) -> str | None:
        """What an operator should know; None while all is well."""
        if self.state is not State.CLOSED:
            return (
                f"the circuit is {self.state}: workers end or cannot be started, and no document is the cause. "
                f"The last time: {self.reason}; the next one {self.again(now)}"
            )
        if self.retry_at is None:
            return None
        return f"no worker can be started: {self.reason}; the next one {self.again(now)}"
