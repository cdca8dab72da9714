"""The processors of a machine, and the limits around a process that its tuning goes by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cpu:
    """A logical processor."""

    number: int
    #: Processors of one core share these two.
    package: int = 0
    core: int = 0
    #: 0 for the first processor of its core, 1 for its SMT sibling, …
    sibling: int = 0
    #: Of the memory next to it.
    node: int = 0
    #: How fast its core is beside the others, 1024 for the fastest kind of a hybrid machine.
    capacity: int = 1024
    #: Kept from the scheduler at boot (isolcpus): for who asks for it by number only.
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class Topology:
    """Those that a process may run on, by number."""

    cpus: tuple[Cpu, ...]

    @property
    def nodes(self) -> frozenset[int]:
        """The memory nodes that have any of them."""
        return frozenset(cpu.node for cpu in self.cpus)


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """What a process has and may have; None: not known, or not there."""

    #: RLIMIT_NOFILE as it is and as high as it may be; None: without limit.
    open_files: int | None = None
    open_files_max: int | None = None
    #: oom_score_adj of proc(5).
    oom_score: int | None = None
    #: Whether the scheduler groups processes by session, so that nice values hold within one only (sched(7)).
    autogroups: bool = False
    #: "always", "madvise" or "never": who gets transparent huge pages.
    huge_pages: str | None = None


def format_cpus(cpus: Iterable[int]) -> str:
    """The shortest list of these CPUs: "0-3,8"."""
    ranges: list[list[int]] = []
    for cpu in sorted(cpus):
        if ranges and ranges[-1][1] == cpu - 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def listed_cpus(text: str) -> frozenset[int]:
    """The CPUs of a list as the kernel writes it, "0-3,8" (cpuset(7), "List format"); ValueError."""
    numbers: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)
