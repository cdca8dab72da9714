"""How long to wait before trying again what failed."""

from __future__ import annotations

#: Short enough that a worker killed by hand is back before anyone looks, and doubling to a pace that harms nobody.
FIRST_S = 0.05
LAST_S = 30.0


class BackOff:
    """Doubles from `FIRST_S` to `LAST_S`, until `reset`."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def next_s(self) -> float:
        """Seconds to wait now."""
        delay_s = self._next_s
        self._next_s = min(delay_s * 2, LAST_S)
        return delay_s

    def reset(self) -> None:
        """It worked."""
        self._next_s = FIRST_S
