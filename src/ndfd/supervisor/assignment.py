"""Which waiting conversion goes to which idle worker: a decision about values, without clock and processes."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import NamedTuple


class Reuse(enum.StrEnum):
    """Which further documents a worker may see that has seen one user's."""

    #: Those of the same user.
    UID = "uid"
    #: None.
    NEVER = "never"
    #: Anybody's.
    ANY = "any"


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


def may_take(worker: Idle, asked: Waiting, reuse: Reuse) -> bool:
    """Whether it may ever take the conversion."""
    if worker.uid is None:
        return True
    return not asked.fresh and (reuse is Reuse.ANY or (reuse is Reuse.UID and worker.uid == asked.uid))


class Assignment(NamedTuple):
    """What to do now."""

    #: Position in the queue -> number of the worker that takes it.
    give: dict[int, int]
    #: Idle workers that may not take what waits, to be replaced by fresh ones that may.
    replace: list[int]


def assign(waiting: Iterable[Waiting], idle: Iterable[Idle], coming: int, reuse: Reuse) -> Assignment:
    """First come, first served, and nobody gets a worker that has seen what it must not have, as `reuse` says.

    `waiting` are the waiting conversions in order; `coming` counts the workers that are about to be idle
    and fresh. A conversion for which a fresh worker is coming holds up nobody behind it.
    """
    left = list(idle)
    assignment = Assignment({}, [])
    for position, asked in enumerate(waiting):
        fit = [each for each in left if may_take(each, asked, reuse)]
        if fit:
            # One of the same user first, then one that has seen documents at all, so that fresh ones stay for others.
            best = min(fit, key=lambda each: (each.uid != asked.uid, each.uid is None))
            left.remove(best)
            assignment.give[position] = best.worker
        elif coming > 0:
            coming -= 1
        elif left:
            # The one that has been idle longest: the others are likelier to be wanted again.
            assignment.replace.append(left.pop(0).worker)
        else:
            break
    return assignment
