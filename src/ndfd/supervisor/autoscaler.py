"""How many workers a pool wants at the moment: its history, the machine's pressure and one timer around `scaling`."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from ndfd.platform import Pressure
from ndfd.supervisor.scaling import LOOK_S, STEP_S, History, Load, decide, demand
from ndfd.supervisor.spawner import Clock, Timer
from ndfd.supervisor.staffing import PoolLimits

_log = structlog.get_logger(__name__)

#: Seconds for which a reading of the pressure serves: half of what the kernel takes to compute the next.
_FRESH_S = 1.0


class Autoscaler:
    """Decides when it is told of a change, and by a timer only while time alone can change the decision.

    A pool of fixed size, and one that is idle at its minimum, has no timer and reads nothing.
    """

    def __init__(
        self, limits: PoolLimits, clock: Clock, pressure: Callable[[], Pressure | None], again: Callable[[], None]
    ) -> None:
        """`again` has to call `decide`."""
        self._limits = limits
        self._clock = clock
        self._read_pressure = pressure
        self._again = again
        self._history = History()
        self._pressure: Pressure | None = None
        self._read_at = self._stepped_at = float("-inf")
        self._timer: Timer | None = None
        self._due_at = 0.0
        self._winding_down = False
        #: How many workers there should be.
        self.wanted = limits.workers_min

    def reconfigure(self, limits: PoolLimits) -> None:
        """Other limits hold from now on."""
        self._limits = limits
        self.wanted = max(limits.workers_min, min(self.wanted, limits.workers_max))

    def wind_down(self) -> None:
        """From now on one for each conversion, and one for the next: another pool follows this one."""
        self._winding_down = True

    def begun(self, waited_s: float) -> None:
        """A conversion got its worker after so many seconds."""
        self._history.begun(waited_s, self._clock.time())

    def decide(self, in_flight: int, waiting: int, oldest_wait_s: float) -> None:
        """Sets `wanted` for what there is to do now."""
        limits, now = self._limits, self._clock.time()
        if self._winding_down or limits.workers_min == limits.workers_max:
            self.stop()
            self.wanted = min(limits.workers_max, max(1, in_flight)) if self._winding_down else limits.workers_max
            return
        p95_wait_s = self._history.p95_wait_s(now)
        needed = demand(limits, in_flight, p95_wait_s)
        self._history.demanded(needed, now)
        load = Load(in_flight, waiting, oldest_wait_s, p95_wait_s, self._history.peak(limits.idle_timeout_s, now))
        busy = in_flight - waiting
        # What is at its minimum or at work can neither grow for nothing nor be given up: no reading is needed.
        matters = needed > self.wanted or self.wanted > max(limits.workers_min, busy)
        pressure = self._fresh_pressure(now) if matters else None
        decision = decide(limits, self.wanted, load, pressure, now - self._stepped_at)
        if decision.stepped:
            self._stepped_at = now
            _log.info("the machine is under pressure", workers=decision.workers, before=self.wanted, why=str(pressure))
        self.wanted = decision.workers
        due = []
        if decision.held:
            due.append(max(now + _FRESH_S, self._stepped_at + STEP_S))
        if self.wanted > max(limits.workers_min, busy):
            if (ends_at := self._history.peak_ends_at(limits.idle_timeout_s)) is not None:
                due.append(ends_at)
            if pressure is not None:
                due.append(now + LOOK_S)
        self._look_again(min(due, default=None), now)

    def stop(self) -> None:
        """No timer runs after it, until the next `decide`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_again(self, at: float | None, now: float) -> None:
        if at is None:
            self.stop()
        elif self._timer is None or at < self._due_at:
            # One that comes too early decides anew; so most decisions set no timer.
            self.stop()
            self._due_at = at
            self._timer = self._clock.call_later(at - now, self._over)

    def _over(self) -> None:
        self._timer = None
        self._again()

    def _fresh_pressure(self, now: float) -> Pressure | None:
        if now - self._read_at >= _FRESH_S:
            self._pressure, self._read_at = self._read_pressure(), now
        return self._pressure
