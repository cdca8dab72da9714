"""How CPUs, cores, sockets, caches and memory belong together, by sysfs (Documentation/ABI/stable/sysfs-devices-*).

Everything is looked for below a root, which is `/` but for tests. What is missing or broken is None or left out: in
containers, and on small machines, much of it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ndfd.model.hardware import Cache, CacheKind, Core, CoreKind, Node

_CPU = "sys/devices/system/cpu"
_NODE = "sys/devices/system/node"
_SIZE = re.compile(r"([0-9]{1,9})([KMG]?)\Z")
#: No more digits than a 64-bit number of the kernel's may have after any multiplication here.
_DECIMAL = re.compile(r"[0-9]{1,14}\Z")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_KINDS = {"Data": CacheKind.DATA, "Instruction": CacheKind.INSTRUCTION, "Unified": CacheKind.UNIFIED}
#: Of a list: far more than any kernel is built for (CONFIG_NR_CPUS), so that a broken file costs no memory.
_NUMBERS_MAX = 1 << 16


def text(path: Path) -> str | None:
    """The file's, without the space around it; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n\t")
    except OSError:
        return None


def number(path: Path) -> int | None:
    """The file's, at least 0; None for anything else, -1 being the kernel's word for what it does not know."""
    found = text(path)
    return decimal(found or "")


def decimal(written: str) -> int | None:
    """None for what is no number, or one too large to be meant."""
    return int(written) if _DECIMAL.match(written) else None


def numbers(listed: str | None) -> tuple[int, ...] | None:
    """Of a list as the kernel writes it, "0-3,8": in order; () for an empty one, None for what is no list."""
    if listed is None:
        return None
    found: set[int] = set()
    for part in filter(None, listed.strip().split(",")):
        first, _, last = part.partition("-")
        low, high = decimal(first), decimal(last or first)
        if low is None or high is None or not low <= high < _NUMBERS_MAX:
            return None
        found.update(range(low, high + 1))
    return tuple(sorted(found))


def online(root: Path) -> tuple[int, ...] | None:
    """The CPUs that run; None where sysfs does not say."""
    return numbers(text(root / _CPU / "online")) or None


def isolated(root: Path) -> tuple[int, ...]:
    """Those that isolcpus names."""
    return numbers(text(root / _CPU / "isolated")) or ()


def has_topology(root: Path, cpus: Iterable[int]) -> bool:
    """Whether sysfs says of every CPU which others are its siblings."""
    return all(_siblings(root, cpu) is not None for cpu in cpus)


def cores(root: Path, cpus: tuple[int, ...], nodes: tuple[Node, ...]) -> tuple[Core, ...]:
    """The cores of these CPUs. A CPU whose siblings are not known is a core of its own."""
    there, node_of = set(cpus), {cpu: node.id for node in nodes for cpu in node.cpus}
    kinds = _kinds(root, cpus)
    found: dict[int, Core] = {}
    taken: set[int] = set()
    for cpu in cpus:
        if cpu in taken:
            continue
        # Those that are online, and that no other core has: a broken list must not put a CPU into two.
        members = {cpu} | ({*(_siblings(root, cpu) or ())} & there - taken)
        taken |= members
        khz = number(root / _CPU / f"cpu{cpu}/cpufreq/cpuinfo_max_freq")
        found[cpu] = Core(
            tuple(sorted(members)),
            package=number(root / _CPU / f"cpu{cpu}/topology/physical_package_id") or 0,
            node=node_of.get(cpu, 0),
            kind=kinds.get(cpu),
            max_mhz=None if khz is None else khz // 1000,
        )
    return tuple(found.values())


def _siblings(root: Path, cpu: int) -> tuple[int, ...] | None:
    topology = root / _CPU / f"cpu{cpu}/topology"
    # The second is the former name of the first (Linux 5.3).
    return numbers(text(topology / "core_cpus_list")) or numbers(text(topology / "thread_siblings_list")) or None


def _kinds(root: Path, cpus: tuple[int, ...]) -> dict[int, CoreKind]:
    """Of each CPU, on a machine with cores of two kinds; empty on any other."""
    return _kinds_by_counters(root, cpus) or _kinds_by_capacity(root, cpus)


def _kinds_by_counters(root: Path, cpus: tuple[int, ...]) -> dict[int, CoreKind]:
    """Intel's hybrid processors have a set of performance counters for each kind of core."""
    kinds: dict[int, CoreKind] = {}
    for name, kind in (
        ("cpu_core", CoreKind.PERFORMANCE),
        ("cpu_atom", CoreKind.EFFICIENCY),
        ("cpu_lowpower", CoreKind.EFFICIENCY),
    ):
        for place in ("sys/devices", "sys/bus/event_source/devices"):
            for cpu in numbers(text(root / place / name / "cpus")) or ():
                kinds.setdefault(cpu, kind)
    kinds = {cpu: kind for cpu, kind in kinds.items() if cpu in cpus}
    return kinds if len(set(kinds.values())) > 1 else {}


def _kinds_by_capacity(root: Path, cpus: tuple[int, ...]) -> dict[int, CoreKind]:
    """On ARM the scheduler knows what each CPU can do, 1024 being the most (Documentation/scheduler/sched-capacity)."""
    capacities = {
        cpu: capacity for cpu in cpus if (capacity := number(root / _CPU / f"cpu{cpu}/cpu_capacity")) is not None
    }
    if len(capacities) < len(cpus) or len(set(capacities.values())) < 2:
        return {}
    # Three kinds are common: the largest and the middle ones are both for performance, the smallest for efficiency.
    least = min(capacities.values())
    return {
        cpu: CoreKind.EFFICIENCY if capacity == least else CoreKind.PERFORMANCE for cpu, capacity in capacities.items()
    }


def nodes(root: Path, cpus: tuple[int, ...]) -> tuple[Node, ...]:
    """The nodes of memory; () where sysfs does not say, or not to all CPUs."""
    there = set(cpus)
    found = []
    for id_ in numbers(text(root / _NODE / "online")) or ():
        folder = root / _NODE / f"node{id_}"
        members = numbers(text(folder / "cpulist"))
        if members is None:
            return ()
        distances = [decimal(each) for each in (text(folder / "distance") or "").split()]
        found.append(
            Node(
                id_,
                tuple(cpu for cpu in members if cpu in there),
                _memory(folder),
                tuple(each for each in distances if each is not None) if None not in distances else (),
            )
        )
    return tuple(found) if {cpu for node in found for cpu in node.cpus} == there else ()


def _memory(folder: Path) -> int | None:
    match = re.search(r"MemTotal:\s+([0-9]{1,14}) kB", text(folder / "meminfo") or "")
    return None if match is None else int(match[1]) * 1024


def caches(root: Path, cpus: tuple[int, ...]) -> tuple[Cache, ...]:
    """Each once, from the nearest to the cores outwards; () where sysfs does not say."""
    there = set(cpus)
    found: dict[tuple[int, CacheKind, tuple[int, ...]], Cache] = {}
    for cpu in cpus:
        for folder in sorted((root / _CPU / f"cpu{cpu}/cache").glob("index[0-9]*")):
            level, kind = number(folder / "level"), _KINDS.get(text(folder / "type") or "")
            size = _SIZE.match(text(folder / "size") or "")
            shared = tuple(each for each in numbers(text(folder / "shared_cpu_list")) or () if each in there)
            # Some virtual machines name caches of no size.
            if level is None or kind is None or size is None or cpu not in shared:
                continue
            size_bytes = int(size[1]) * _UNITS[size[2]]
            line_bytes = number(folder / "coherency_line_size")
            found.setdefault((level, kind, shared), Cache(level, kind, size_bytes, shared, line_bytes))
    return tuple(sorted(found.values(), key=lambda cache: (cache.level, cache.kind, cache.cpus)))
