"""Which worker runs where, on machines of every shape."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndfd.model.topology import Cpu, Topology
from ndfd.tuning.placement import Demand, of_pool, of_workers, ordered
from tests.platform.machines import smt


def machine(packages: int, cores: int, threads: int) -> Topology:
    return Topology(
        tuple(
            Cpu(number, package, core, sibling=number // (packages * cores), node=node)
            for number, (package, core, node) in smt(packages, cores, threads).items()
        )
    )


#: Two fast cores with two processors each, then four slow ones with one each.
HYBRID = Topology(
    (
        *(Cpu(number, core=number // 2, sibling=number % 2) for number in range(4)),
        *(Cpu(number, core=number, capacity=512) for number in range(4, 8)),
    )
)


def numbers(cpus: tuple[Cpu, ...]) -> list[int]:
    return [cpu.number for cpu in cpus]


def test_cores_come_before_siblings_and_one_node_before_the_next() -> None:
    assert numbers(ordered(machine(2, 2, 2))) == [0, 1, 2, 3, 4, 5, 6, 7]
    # Siblings side by side, as some firmware numbers them.
    side_by_side = Topology(tuple(Cpu(number, core=number // 2, sibling=number % 2) for number in range(4)))
    assert numbers(ordered(side_by_side)) == [0, 2, 1, 3]


def test_fast_cores_come_first_but_a_slow_one_of_its_own_before_the_sibling_of_a_fast_one() -> None:
    assert numbers(ordered(HYBRID)) == [0, 2, 4, 5, 6, 7, 1, 3]


def test_isolated_processors_are_for_who_names_them() -> None:
    isolated = Topology(tuple(Cpu(number, core=number, isolated=number > 1) for number in range(4)))
    assert numbers(ordered(isolated)) == [0, 1]
    assert numbers(ordered(isolated, frozenset({1, 3}))) == [1, 3]
    # There is nothing else to run on.
    assert numbers(ordered(Topology(isolated.cpus[2:]))) == [2, 3]


def test_a_sibling_whose_core_is_not_named_counts_as_the_first() -> None:
    assert numbers(ordered(machine(1, 4, 2), frozenset({1, 4, 5}))) == [4, 1, 5]


@pytest.mark.parametrize(
    ("workers", "cpus"),
    [(1, [0, 1, 4, 5]), (4, [0, 1, 4, 5]), (5, list(range(8))), (20, list(range(8)))],
)
def test_a_pool_that_fits_beside_one_memory_stays_there(workers: int, cpus: list[int]) -> None:
    assert sorted(numbers(of_pool(machine(2, 2, 2), Demand(None, workers)))) == cpus


@pytest.mark.parametrize(("workers", "cpus"), [(2, [0, 1, 2, 3]), (4, [0, 1, 2, 3]), (5, list(range(8)))])
def test_a_pool_that_fits_on_the_fast_cores_has_no_others(workers: int, cpus: list[int]) -> None:
    assert sorted(numbers(of_pool(HYBRID, Demand(None, workers)))) == cpus


def test_pools_share_a_machine_before_they_share_a_processor() -> None:
    demands = {"default": Demand(None, 2), "bulk": Demand(None, 3), "named": Demand(frozenset({0, 7}), 2)}
    places = {name: numbers(cpus) for name, cpus in of_workers(machine(2, 2, 2), demands).items()}
    assert places == {"default": [0, 1], "bulk": [2, 3, 4], "named": [7, 0]}


def test_without_processors_nobody_is_placed() -> None:
    assert of_workers(Topology(()), {"default": Demand(None, 4)}) == {"default": ()}
    assert of_pool(Topology(()), Demand(None, 4)) == ()


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 8), st.integers(1, 2)),
    demands=st.dictionaries(st.sampled_from("abcd"), st.integers(1, 40), min_size=1),
)
def test_no_processor_has_two_workers_more_than_another_and_no_core_two_before_each_has_one(
    shape: tuple[int, int, int], demands: dict[str, int]
) -> None:
    topology = machine(*shape)
    places = of_workers(topology, {name: Demand(None, workers) for name, workers in demands.items()})
    assert {name: len(cpus) for name, cpus in places.items()} == demands
    used = Counter(cpu.number for cpus in places.values() for cpu in cpus)
    counts = [used[cpu.number] for cpu in topology.cpus]
    assert max(counts) - min(counts) <= 1
    packages, cores, _ = shape
    if sum(demands.values()) <= packages * cores:
        assert len({(cpu.package, cpu.core) for cpus in places.values() for cpu in cpus}) == sum(demands.values())
