"""What /sys tells of the processors: on machines in a folder, and on this one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.model.topology import Cpu, format_cpus, listed_cpus
from ndfd.platform.linux_placement import topology
from tests.platform.machines import smt, write_machine


def test_cores_siblings_packages_and_nodes_are_told(tmp_path: Path) -> None:
    found = topology(range(8), write_machine(tmp_path, smt(2, 2, 2)))
    assert [(cpu.number, cpu.package, cpu.core, cpu.sibling, cpu.node) for cpu in found.cpus] == [
        (0, 0, 0, 0, 0),
        (1, 0, 1, 0, 0),
        (2, 1, 0, 0, 1),
        (3, 1, 1, 0, 1),
        (4, 0, 0, 1, 0),
        (5, 0, 1, 1, 0),
        (6, 1, 0, 1, 1),
        (7, 1, 1, 1, 1),
    ]
    assert found.nodes == {0, 1}


def test_what_a_cpuset_leaves_out_is_not_there_and_makes_its_sibling_the_first(tmp_path: Path) -> None:
    found = topology({2, 4, 5}, write_machine(tmp_path, smt(2, 2, 2)))
    assert [(cpu.number, cpu.sibling) for cpu in found.cpus] == [(2, 0), (4, 0), (5, 0)]


def test_slower_cores_are_told_by_their_capacity_or_by_their_kind(tmp_path: Path) -> None:
    arm = write_machine(tmp_path / "arm", smt(1, 4, 1), capacities={0: 446, 1: 446, 2: 1024, 3: 1024})
    assert [cpu.capacity for cpu in topology(range(4), arm).cpus] == [446, 446, 1024, 1024]
    intel = write_machine(tmp_path / "intel", smt(1, 4, 1), efficient="2-3")
    assert [cpu.capacity for cpu in topology(range(4), intel).cpus] == [1024, 1024, 512, 512]


def test_isolated_processors_are_told(tmp_path: Path) -> None:
    found = topology(range(4), write_machine(tmp_path, smt(1, 4, 1), isolated="1,3"))
    assert [cpu.number for cpu in found.cpus if cpu.isolated] == [1, 3]


def test_where_the_kernel_says_nothing_each_is_a_core_of_its_own(tmp_path: Path) -> None:
    assert topology({3, 1}, tmp_path).cpus == (Cpu(1, core=1), Cpu(3, core=3))


def test_what_the_kernel_does_not_know_is_no_name_of_a_core(tmp_path: Path) -> None:
    unknown = dict.fromkeys(range(2), (-1, -1, 0))
    assert [cpu.sibling for cpu in topology(range(2), write_machine(tmp_path, unknown)).cpus] == [0, 0]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /sys")
def test_this_machine_is_told_as_its_kernel_says() -> None:
    found = platform.process.topology()
    assert {cpu.number for cpu in found.cpus} == os.sched_getaffinity(0)
    for cpu in found.cpus:
        folder = Path(f"/sys/devices/system/cpu/cpu{cpu.number}")
        # Its node is a link there.
        assert (folder / f"node{cpu.node}").exists() or not Path("/sys/devices/system/node").exists()
        siblings = sorted(listed_cpus((folder / "topology/thread_siblings_list").read_text()) & os.sched_getaffinity(0))
        assert siblings[cpu.sibling] == cpu.number


@pytest.mark.parametrize(("text", "cpus"), [("0-3,8", {0, 1, 2, 3, 8}), ("", set()), ("5\n", {5})])
def test_lists_are_read_and_written_as_the_kernel_does(text: str, cpus: set[int]) -> None:
    assert listed_cpus(text) == cpus
    assert format_cpus(cpus) == text.strip()
