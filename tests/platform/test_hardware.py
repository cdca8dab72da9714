"""The processor as the system tells of it: on machines of every kind, on this one, and where nothing is told."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import msgspec
import pytest

from ndfd.model.hardware import Cache, CacheKind, Core, CoreKind, Node, Processor
from ndfd.platform import linux_topology, windows_hardware
from ndfd.platform.base_hardware import MachineParts
from ndfd.platform.linux_hardware import LinuxParts
from ndfd.platform.machine import machine_parts
from ndfd.testing import machines

PERFORMANCE, EFFICIENCY = CoreKind.PERFORMANCE, CoreKind.EFFICIENCY
LINUX = LinuxParts()


def caches(processor: Processor, level: int, kind: CacheKind = CacheKind.UNIFIED) -> list[tuple[int, tuple[int, ...]]]:
    return [(each.size_bytes, each.cpus) for each in processor.caches if (each.level, each.kind) == (level, kind)]


def test_a_hybrid_laptops_cores_are_of_two_kinds(tmp_path: Path) -> None:
    found = LINUX.processor(machines.hybrid_laptop(tmp_path))
    assert found.cores == (
        Core((0, 1), 0, 0, PERFORMANCE, 4600),
        Core((2, 3), 0, 0, PERFORMANCE, 4600),
        *(Core((cpu,), 0, 0, EFFICIENCY, 3400) for cpu in (4, 5, 6, 7)),
    )
    assert found.hybrid
    assert found.cpus == found.usable == tuple(range(8))
    assert (found.name, found.architecture) == ("13th Gen Intel(R) Core(TM) i5-1334U", "x86_64")
    assert caches(found, 2) == [(1_310_720, (0, 1)), (1_310_720, (2, 3)), (2_097_152, (4, 5, 6, 7))]
    assert caches(found, 3) == [(12_582_912, tuple(range(8)))]
    assert {"avx2", "fma", "bmi", "bmi2", "aes", "sha"} <= set(found.features)
    assert not any(name.startswith("avx512") for name in found.features)
    # Without NUMA all memory is one node, and that this was not told is said.
    assert found.nodes == (Node(0, tuple(range(8))),)
    assert found.unknown == ("nodes",)


def test_a_servers_siblings_sockets_and_nodes_belong_together(tmp_path: Path) -> None:
    found = LINUX.processor(machines.numa_server(tmp_path))
    assert found.cores == (
        *(Core((cpu, cpu + 8), 0, 0, None, 4000) for cpu in (0, 1, 2, 3)),
        *(Core((cpu, cpu + 8), 1, 1, None, 4000) for cpu in (4, 5, 6)),
        # Its sibling is offline.
        Core((7,), 1, 1, None, 4000),
    )
    assert found.packages == 2
    assert not found.hybrid
    assert found.isolated == (6, 14)
    memory = 131_072_000 * 1024
    assert found.nodes == (
        Node(0, (0, 1, 2, 3, 8, 9, 10, 11), memory, (10, 21, 14)),
        Node(1, (4, 5, 6, 7, 12, 13, 14), memory, (21, 10, 24)),
        Node(2, (), memory, (14, 24, 10)),
    )
    assert len(caches(found, 1, CacheKind.DATA)) == 8
    assert caches(found, 3) == [(188_743_680, found.nodes[0].cpus), (188_743_680, found.nodes[1].cpus)]
    assert {"avx512f", "avx512vnni", "avx512bf16", "amx-tile"} <= set(found.features)
    assert found.unknown == ()


def test_an_arm_servers_instructions_are_those_that_the_kernel_told_the_process(tmp_path: Path) -> None:
    found = LINUX.processor(machines.arm_server(tmp_path))
    assert found.architecture == "aarch64"
    assert found.name == "implementer 0x41, part 0xd4f"
    # /proc/cpuinfo of this machine has no word for the last three.
    assert found.features == (
        *("fp", "neon", "aes", "pmull", "sha1", "sha2", "crc32", "lse", "fp16", "neon-fp16", "rdm", "rcpc", "dotprod"),
        *("sve", "sve2", "i8mm", "bf16"),
    )
    (tmp_path / "proc/self/auxv").unlink()
    listed = LINUX.processor(tmp_path).features
    assert listed == tuple(name for name in found.features if name not in {"sve2", "i8mm", "bf16"})


def test_of_three_capacities_the_smallest_is_for_efficiency(tmp_path: Path) -> None:
    found = LINUX.processor(machines.phone_board(tmp_path))
    assert [core.kind for core in found.cores] == [EFFICIENCY] * 4 + [PERFORMANCE] * 4
    assert found.name == "Fair Board 5 (implementer 0x41, part 0xd05)"
    assert found.unknown == ("caches", "nodes")


def test_a_container_may_use_what_its_cpuset_and_quota_leave(tmp_path: Path) -> None:
    found = LINUX.processor(machines.container(tmp_path))
    assert found.usable == (1, 2, 3, 10, 11)
    assert found.quota == 3
    # The machine is still all there: which of the usable are siblings is read off it.
    assert len(found.cpus) == 15


def test_where_nothing_is_told_every_cpu_is_a_core(tmp_path: Path) -> None:
    found = LINUX.processor(machines.bare(tmp_path / "none"))
    assert [core.cpus for core in found.cores] == [(cpu,) for cpu in range(os.cpu_count() or 1)]
    assert found.usable == found.cpus
    assert found.unknown == ("topology", "caches", "nodes", "features")
    assert found == msgspec.structs.replace(MachineParts().processor(), name=None)


@pytest.mark.parametrize("shift", range(7))
def test_files_that_hold_nonsense_are_as_good_as_none(tmp_path: Path, shift: int) -> None:
    found = LINUX.processor(machines.broken(tmp_path, shift))
    check(found)
    assert "topology" in found.unknown


@pytest.mark.parametrize("name", machines.MACHINES)
def test_on_every_machine_what_is_told_hangs_together(name: str, tmp_path: Path) -> None:
    check(LINUX.processor(machines.MACHINES[name](tmp_path / name)))


def test_on_this_machine_what_is_told_hangs_together() -> None:
    found = machine_parts.processor()
    check(found)
    assert found.architecture == os.uname().machine
    if machine_parts.__class__ is LinuxParts:
        assert set(found.usable) == os.sched_getaffinity(0)


def check(found: Processor) -> None:
    cpus = [cpu for core in found.cores for cpu in core.cpus]
    assert len(cpus) == len(set(cpus)), "a CPU is of one core"
    assert found.usable
    assert set(found.usable) <= set(cpus)
    assert {cpu for node in found.nodes for cpu in node.cpus} == set(cpus)
    assert {core.node for core in found.cores} <= {node.id for node in found.nodes}
    for cache in found.caches:
        assert cache.size_bytes > 0
        assert set(cache.cpus) <= set(cpus)
    for core in found.cores:
        assert core.cpus == tuple(sorted(core.cpus))
        assert {node.id for node in found.nodes if core.cpus[0] in node.cpus} == {core.node}
    assert msgspec.json.decode(msgspec.json.encode(found), type=Processor) == found


def test_an_affinity_that_is_set_shows(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    last = max(before)
    os.sched_setaffinity(0, {last})
    try:
        # /proc/self is of the process's first thread, which runs the tests.
        assert LINUX.processor().usable == (last,)
    finally:
        os.sched_setaffinity(0, before)


def test_an_instruction_set_that_one_cpu_lacks_is_none_of_the_machines(tmp_path: Path) -> None:
    cpuinfo = machines.numa_server(tmp_path) / "proc/cpuinfo"
    first, _, rest = cpuinfo.read_text().partition("\n\n")
    cpuinfo.write_text(f"{first.replace('avx512f', '')}\n\n{rest}")
    features = LINUX.processor(tmp_path).features
    assert "avx512f" not in features
    assert "avx512bw" in features


def test_a_nodes_cpus_that_are_offline_are_left_out(tmp_path: Path) -> None:
    before = LINUX.processor(machines.numa_server(tmp_path)).nodes
    machines.write(tmp_path, {"sys/devices/system/node/node1/cpulist": "4-7,12-15"})
    assert LINUX.processor(tmp_path).nodes == before


@pytest.mark.parametrize(
    ("listed", "numbers"),
    [
        ("0-3,8", (0, 1, 2, 3, 8)),
        (" 5\n", (5,)),
        ("", ()),
        ("0-2,1-3", (0, 1, 2, 3)),
        ("3-1", None),
        ("a", None),
        ("-1", None),
        ("0-70000", None),
        (None, None),
    ],
)
def test_a_list_of_cpus_is_read_as_the_kernel_writes_it(listed: str | None, numbers: tuple[int, ...] | None) -> None:
    assert linux_topology.numbers(listed) == numbers


def test_a_cpu_that_two_cores_claim_is_of_the_first(tmp_path: Path) -> None:
    machines.numa_server(tmp_path)
    machines.write(tmp_path, {"sys/devices/system/cpu/cpu1/topology/core_cpus_list": "0-3"})
    found = LINUX.processor(tmp_path)
    assert [core.cpus for core in found.cores[:3]] == [(0, 8), (1, 2, 3), (4, 12)]
    assert len(found.cpus) == 15


def test_the_records_of_windows_are_taken_apart() -> None:
    """The calls themselves cannot be made here; the layout of what they return is winnt.h's."""

    def record(kind: int, data: bytes) -> bytes:
        return struct.pack("<II", kind, 8 + len(data)) + data

    def masks(*masks: tuple[int, int]) -> bytes:
        return struct.pack("<H", len(masks)) + b"".join(struct.pack("<QH6x", mask, group) for mask, group in masks)

    core = record(0, bytes([1, 1]) + bytes(20) + masks((0b11, 0)))
    node = record(1, struct.pack("<I", 7) + bytes(18) + masks((0b1, 0), (0b10, 1)))
    cache = record(2, struct.pack("<BBHII", 3, 16, 64, 1 << 25, 0) + bytes(18) + masks((0b1111, 0)))
    records = list(windows_hardware._split(core + node + cache + b"\0\0"))
    assert [kind for kind, _ in records] == [0, 1, 2]
    assert windows_hardware._relation(*records[0]) == (0, 1, (0, 1))
    assert windows_hardware._relation(*records[1]) == (1, 7, (0, 65))
    assert list(windows_hardware._caches(records)) == [Cache(3, CacheKind.UNIFIED, 1 << 25, (0, 1, 2, 3), 64)]
