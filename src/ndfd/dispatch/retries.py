"""When a delivery that failed is tried again."""

from __future__ import annotations

#: Long enough for a receiver to be restarted; 14 attempts, doubling from here, end after 23 hours.
FIRST_S = 10.0
LAST_S = 86400.0
#: Of the delay, so that receivers that were down together do not get everything together.
JITTER = 0.25


def retry_delay_s(failures: int, chance: float, retry_after_s: float | None = None) -> float:
    """Seconds until the next attempt after so many, at least one, have failed.

    `chance` is from 0 to 1. What the receiver asks for (`retry_after_s`) holds, between a second and a day.
    """
    if retry_after_s is not None:
        return min(max(retry_after_s, 1.0), LAST_S)
    delay_s = min(FIRST_S * 2.0 ** min(failures - 1, 60), LAST_S)
    return delay_s * (1 - JITTER + 2 * JITTER * chance)
