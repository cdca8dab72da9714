"""Which worker runs on which processor: a decision about values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ndfd.model.topology import Cpu, Topology


@dataclass(frozen=True, slots=True)
class Demand:
    """What a pool needs."""

    #: Processors that its operator named; None for any.
    cpus: frozenset[int] | None
    #: It has at most.
    workers: int


def ordered(topology: Topology, named: frozenset[int] | None = None) -> tuple[Cpu, ...]:
    """The processors in the order in which workers get them.

    A core of its own for each before any two share one; the fastest kind of core first; one node after the other, so
    that a few workers stay by the memory that they share with their zygote. An isolated processor is only for who names
    it, as its operator kept it for something; unless there is no other.
    """
    cpus = [cpu for cpu in topology.cpus if named is None or cpu.number in named]
    free = [cpu for cpu in cpus if named is not None or not cpu.isolated] or cpus
    return tuple(sorted(free, key=lambda cpu: (_rank(cpu, free), -cpu.capacity, cpu.node, cpu.core, cpu.number)))


def _rank(cpu: Cpu, among: Iterable[Cpu]) -> int:
    """How many of its core come before it: its siblings that may not be used leave it the first."""
    core = (cpu.package, cpu.core)
    return sum((each.package, each.core) == core and each.sibling < cpu.sibling for each in among)


def of_pool(topology: Topology, demand: Demand) -> tuple[Cpu, ...]:
    """The processors that all of the pool's workers share: as few nodes and as fast cores as do for all of them.

    All of the slower kind, and all other nodes, are left out where the rest has one for each worker.
    """
    cpus = ordered(topology, demand.cpus)
    fastest = max((cpu.capacity for cpu in cpus), default=0)
    fast = tuple(cpu for cpu in cpus if cpu.capacity == fastest)
    if len(fast) < demand.workers:
        fast = cpus
    for node in sorted({cpu.node for cpu in fast}):
        near = tuple(cpu for cpu in fast if cpu.node == node)
        if len(near) >= demand.workers:
            return near
    return fast


def of_workers(topology: Topology, demands: Mapping[str, Demand]) -> dict[str, tuple[Cpu, ...]]:
    """By pool, the processors of its workers one by one; more workers than those begin anew.

    A pool takes those that fewest workers of the pools before it have.
    """
    taken = dict.fromkeys((cpu.number for cpu in topology.cpus), 0)
    places = {}
    for name, demand in demands.items():
        cpus = ordered(topology, demand.cpus)
        of_this: list[Cpu] = []
        for _ in range(demand.workers if cpus else 0):
            # `min` gives the first of several.
            cpu = min(cpus, key=lambda each: taken[each.number])
            taken[cpu.number] += 1
            of_this.append(cpu)
        places[name] = tuple(of_this)
    return places
