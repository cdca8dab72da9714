"""The order in which one user's jobs run."""

from __future__ import annotations

#: Seconds of waiting that one step of priority is worth. There are 20 steps from the lowest priority to the highest: a
#: job of the lowest is overtaken by those at most that come within the next 20 minutes.
PRIORITY_STEP_S = 60.0


def rank(accepted_at: float, priority: int) -> float:
    """The job's place among its user's: the lowest first. It never changes, so an index of the store gives the order.

    That everybody's turn comes follows from it: whoever comes later begins further behind, whatever its priority.
    """
    return accepted_at - priority * PRIORITY_STEP_S
