"""Which waiting conversion goes to which idle worker: a decision about values, without clock and processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Idle(NamedTuple):
    """A worker without work."""

    worker: int
    #: The user whose documents it has seen; None while it has seen none.
    uid: int | None


class Waiting(NamedTuple):
    """A conversion without a worker."""

    #: Whose it is.
    uid: int
    #: Whether only a worker that has seen no document may take it.
    fresh: bool = False


def may_take(worker: Idle, asked: Waiting) -> bool:
    """Whether it may ever take the conversion: no user's document reaches a worker that has seen another's."""
    return worker.uid is None or (worker.uid == asked.uid and not asked.fresh)


class Assignment(NamedTuple):
    """What to do now."""

    #: Position in the queue -> number of the worker that takes it.
    give: dict[int, int]
    #: Idle workers that have seen another user's documents, to be replaced by fresh ones for whoever waits.
    replace: list[int]


def assign(waiting: Iterable[Waiting], idle: Iterable[Idle], coming: int) -> Assignment:
    """First come, first served, and no worker that has seen one user's document is given another's.

    `waiting` are the waiting conversions in order; `coming` counts the workers that are about to be idle
    and fresh. A conversion for which a fresh worker is coming holds up nobody behind it.
    """
    left = list(idle)
    assignment = Assignment({}, [])
    for position, asked in enumerate(waiting):
        # A worker of the same user first, so that fresh ones stay for others.
        own = None if asked.fresh else next((each for each in left if each.uid == asked.uid), None)
        fit = own or next((each for each in left if each.uid is None), None)
        if fit is not None:
            left.remove(fit)
            assignment.give[position] = fit.worker
        elif coming > 0:
            coming -= 1
        elif left:
            # The one that has been idle longest: the others are likelier to be wanted again.
            assignment.replace.append(left.pop(0).worker)
        else:
            break
    return assignment
