"""How many workers there should be for what there is to do: decisions about values, without clock and processes.

Up at once, for a fork costs less than any wait worth avoiding; down only when nothing has needed a worker for
`idle_timeout_s`. So a load that comes and goes starts each worker once, not at every wave.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from ndfd.platform import Pressure
from ndfd.supervisor.staffing import PoolLimits

#: Per cent of the last ten seconds in which some process waited for memory (PSI "some avg10"). A machine that is well
#: has none; from here on another worker takes from those that are there, and further up idle ones are worth less than
#: their memory. systemd-oomd begins to kill at 60.
MEMORY_TIGHT_PERCENT = 10.0
MEMORY_SHORT_PERCENT = 30.0

#: The same of processes that wait for a CPU. It is high simply because we work: as many workers as CPUs, and a daemon
#: and its clients beside them, make 20 to 50. From here on more of them slice the same time thinner, so another worker
#: comes only for a conversion that has waited `PATIENCE_S`, one at a time: some wait beats a long document keeping all
#: others out. Idle workers stay: they take no CPU time, and starting them again would.
CPU_CROWDED_PERCENT = 75.0
PATIENCE_S = 1.0

#: Seconds between two steps under pressure: the kernel's averages change every two seconds (PSI_FREQ).
STEP_S = 2.0
#: Seconds between looks at the memory while there are idle workers that could be given up.
LOOK_S = 5.0

#: 95 of 100 conversions should have a worker within it. A fresh one takes some 10 ms on a machine that has time for it,
#: so a longer wait says that forking when it is needed is too late: then some are kept ready in advance.
WAIT_TARGET_S = 0.1
#: The conversions that p95 is taken of: the last so many, begun within so many seconds.
_WAITS_MAX = 64
_WAITS_WITHIN_S = 30.0


class History:
    """What a pool has had to do lately. Moments are passed in, and only go forward."""

    def __init__(self) -> None:
        self._demand = 0
        #: Higher demands that have ended, and when; each lower than all before it.
        self._ended: deque[tuple[float, int]] = deque()
        self._waits: deque[tuple[float, float]] = deque(maxlen=_WAITS_MAX)

    def demanded(self, workers: int, now: float) -> None:
        """So many workers have something to do from now on."""
        if workers < self._demand:
            while self._ended and self._ended[-1][1] <= self._demand:
                self._ended.pop()
            self._ended.append((now, self._demand))
        self._demand = workers

    def begun(self, waited_s: float, now: float) -> None:
        """A conversion got its worker after so many seconds."""
        self._waits.append((now, waited_s))

    def peak(self, within_s: float, now: float) -> int:
        """The highest demand that goes on, or has ended less than so many seconds ago."""
        while self._ended and self._ended[0][0] <= now - within_s:
            self._ended.popleft()
        return max(self._demand, self._ended[0][1]) if self._ended else self._demand

    def peak_ends_at(self, within_s: float) -> float | None:
        """When `peak` will be lower if nothing happens; None for never."""
        return self._ended[0][0] + within_s if self._ended and self._ended[0][1] > self._demand else None

    def p95_wait_s(self, now: float) -> float:
        """Seconds within which 95 of 100 of the latest conversions got their worker; 0 when there were none."""
        while self._waits and self._waits[0][0] <= now - _WAITS_WITHIN_S:
            self._waits.popleft()
        waits = sorted(waited_s for _, waited_s in self._waits)
        return waits[math.ceil(len(waits) * 0.95) - 1] if waits else 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """What there is to do."""

    #: Conversions that run or wait.
    in_flight: int
    #: Of those, how many wait.
    waiting: int
    #: Seconds that the first of them has waited.
    oldest_wait_s: float
    #: As of `History`.
    p95_wait_s: float
    #: The most workers that had something to do within the last `idle_timeout_s`.
    peak: int


class Decision(NamedTuple):
    """What a pool does now."""

    #: How many workers there should be.
    workers: int
    #: Whether there would be more if the machine had room.
    held: bool = False
    #: Whether pressure let one come, or made one go.
    stepped: bool = False


def demand(limits: PoolLimits, in_flight: int, p95_wait_s: float) -> int:
    """The workers that would have something to do: one for each conversion, and some ready when waits are long."""
    spare = math.ceil(in_flight / 4) if p95_wait_s > WAIT_TARGET_S else 0
    return max(limits.workers_min, min(in_flight + spare, limits.workers_max))


def decide(limits: PoolLimits, current: int, load: Load, pressure: Pressure | None, since_step_s: float) -> Decision:
    """How many workers there should be when up to now it was `current`.

    `since_step_s` is the time since the last decision that `stepped`. Never fewer than `workers_min`, nor than one
    while something is to be done; never more than `workers_max`. That a worker is lost is no matter of this: its place
    is in `current`, and is filled at once, under pressure as well.
    """
    least = max(limits.workers_min, min(load.in_flight, limits.workers_max, 1))
    current = max(least, min(current, limits.workers_max))
    wanted = demand(limits, load.in_flight, load.p95_wait_s)
    kept = min(current, max(wanted, load.peak))
    may_step = since_step_s >= STEP_S
    if pressure is not None and pressure.memory_percent >= MEMORY_SHORT_PERCENT:
        sheds = may_step and kept > max(least, load.in_flight - load.waiting)
        return Decision(kept - sheds, held=wanted > current, stepped=sheds)
    if wanted <= current:
        return Decision(kept)
    if pressure is not None and pressure.memory_percent >= MEMORY_TIGHT_PERCENT:
        return Decision(current, held=True)
    if pressure is not None and pressure.cpu_percent >= CPU_CROWDED_PERCENT:
        grows = may_step and load.waiting > 0 and load.oldest_wait_s >= PATIENCE_S
        return Decision(current + grows, held=wanted > current + grows, stepped=grows)
    return Decision(wanted)
