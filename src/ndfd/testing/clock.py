"""A clock that stands still until a test moves it."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable


class FakeTimer:
    """A call that is to come."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self._callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """It does not come any more."""
        self._callback = None

    @property
    def is_set(self) -> bool:
        """Whether it still comes."""
        return self._callback is not None

    def fire(self) -> None:
        """It comes, unless it was cancelled."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class FakeClock:
    """As an event loop's `time` and `call_later`."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._timers: list[tuple[float, int, FakeTimer]] = []
        self._order = itertools.count()

    def time(self) -> float:
        """Seconds."""
        return self._now

    def call_later(self, delay_s: float, callback: Callable[..., object], /, *args: object) -> FakeTimer:
        """Called by the `advance` that reaches it."""
        timer = FakeTimer(lambda: callback(*args))
        heapq.heappush(self._timers, (self._now + delay_s, next(self._order), timer))
        return timer

    @property
    def timers(self) -> int:
        """How many calls are to come."""
        return sum(timer.is_set for _, _, timer in self._timers)

    def advance(self, seconds: float) -> None:
        """Moves time on, and makes the calls that fall due on the way, in their order."""
        until = self._now + seconds
        while self._timers and self._timers[0][0] <= until:
            self._now, _, timer = heapq.heappop(self._timers)
            timer.fire()
        self._now = until
