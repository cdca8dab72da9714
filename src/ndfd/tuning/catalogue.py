"""Every knob of the system level, in the order in which they are applied; they are put back in the opposite one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ndfd.model.tuning import Outcome
from ndfd.tuning.knob import Knob
from ndfd.tuning.knobs import Choice, CpuList, Number, Word

_THP = "/sys/kernel/mm/transparent_hugepage"
_VM = "/proc/sys/vm"
_NET = "/proc/sys/net/core"
_INOTIFY = "/proc/sys/fs/inotify"
_POLICIES = "/sys/devices/system/cpu/cpufreq/policy*"

#: Documentation/admin-guide of the kernel: mm/transhuge, mm/hugetlbpage, sysctl/vm, sysctl/net, pm/cpufreq,
#: pm/intel_pstate; core-api/irq/irq-affinity; inotify(7).
_ALL: tuple[Knob, ...] = (
    Choice("transparent_hugepages", f"{_THP}/enabled", ("never", "madvise", "always")),
    Choice("transparent_hugepage_defrag", f"{_THP}/defrag", ("never", "madvise", "defer", "defer+madvise", "always")),
    Number(
        "nr_hugepages",
        f"{_VM}/nr_hugepages",
        {Outcome.DRIFTED: "memory is used or in pieces: ask for fewer, or apply it right after the machine's start"},
    ),
    Number("overcommit_memory", f"{_VM}/overcommit_memory"),
    Number("swappiness", f"{_VM}/swappiness"),
    Number("max_map_count", f"{_VM}/max_map_count"),
    Number("zone_reclaim_mode", f"{_VM}/zone_reclaim_mode"),
    Number("rmem_max", f"{_NET}/rmem_max"),
    Number("wmem_max", f"{_NET}/wmem_max"),
    Number("somaxconn", f"{_NET}/somaxconn"),
    Number("inotify_max_user_instances", f"{_INOTIFY}/max_user_instances"),
    Number("inotify_max_user_watches", f"{_INOTIFY}/max_user_watches"),
    Number("inotify_max_queued_events", f"{_INOTIFY}/max_queued_events"),
    # Before the governor, and put back after it: under "performance" intel_pstate refuses every other one (EBUSY).
    Word("cpu_energy_preference", f"{_POLICIES}/energy_performance_preference"),
    Word("cpu_governor", f"{_POLICIES}/scaling_governor"),
    CpuList(
        "irq_affinity",
        "/proc/irq/*/smp_affinity_list",
        {
            Outcome.DENIED: "as root this means that the kernel alone says where that interrupt goes",
            Outcome.FAILED: "the kernel, or the interrupt's driver, alone says where that interrupt goes",
        },
    ),
)

#: By name.
KNOBS: Mapping[str, Knob] = MappingProxyType({knob.name: knob for knob in _ALL})
