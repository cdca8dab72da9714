"""How many workers each pool may have where all of them share a limit of memory: a decision about values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demand:
    """What one pool asks for."""

    #: Workers that it must be able to have, and that it would have at most.
    least: int
    most: int
    #: Of each of them.
    memory_bytes: int


def allot(demands: Mapping[str, Demand], memory_bytes: int | None) -> dict[str, int] | None:
    """By pool, the workers it may have; None when not even the least of all fit together.

    What is left after that is given out one worker at a time, in rounds and in the order of the pools, so that none
    goes short while another one has plenty. Without a limit each has its most.
    """
    if memory_bytes is None:
        return {name: demand.most for name, demand in demands.items()}
    given = {name: demand.least for name, demand in demands.items()}
    left = memory_bytes - sum(demand.least * demand.memory_bytes for demand in demands.values())
    if left < 0:
        return None
    # Everyone gets the same number of further workers until it has its most or the next one does not fit.
    wanting = [name for name, demand in demands.items() if demand.most > demand.least]
    while wanting:
        for name in tuple(wanting):
            demand = demands[name]
            if given[name] < demand.most and demand.memory_bytes <= left:
                given[name] += 1
                left -= demand.memory_bytes
            else:
                wanting.remove(name)
    return given
