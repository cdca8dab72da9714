"""Linux: the processor by /proc and /sys."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ndfd.model.hardware import Backend, Node, Processor
from ndfd.platform import linux_cgroup, linux_features
from ndfd.platform.base_hardware import MachineParts, architecture
from ndfd.platform.linux_topology import caches, cores, decimal, has_topology, isolated, nodes, numbers, online, text


class LinuxParts(MachineParts):
    """The answers of Linux."""

    libraries: Mapping[Backend, tuple[str, ...]] = {
        # Each comes with the driver, and asks it without making a context on the device.
        Backend.CUDA: ("libnvidia-ml.so.1",),
        Backend.ROCM: (
            *(f"librocm_smi64.so{version}" for version in (".7", ".6", ".5", ".1", "")),
            # Where AMD's packages put it, which the loader need not know.
            "/opt/rocm/lib/librocm_smi64.so",
            *(f"libamdhip64.so{version}" for version in (".7", ".6", ".5", "")),
        ),
        Backend.OPENCL: ("libOpenCL.so.1",),
    }

    def processor(self, root: Path = Path("/")) -> Processor:
        """By sysfs; where it says nothing, by /proc/cpuinfo; where that says nothing either, by the affinity."""
        told = _cpuinfo(root)
        machine = architecture() if root == Path("/") else _architecture(told)
        usable = _usable(root)
        cpus = online(root) or _listed(told) or usable or tuple(range(os.cpu_count() or 1))
        memory = nodes(root, cpus)
        found_caches = caches(root, cpus)
        features = linux_features.features(machine, root, told)
        lacks = {
            "topology": not has_topology(root, cpus),
            "caches": not found_caches,
            "nodes": not memory,
            "features": features is None,
        }
        # Without NUMA there is no folder of nodes: all memory is one.
        memory = memory or (Node(0, cpus),)
        return Processor(
            architecture=machine,
            cores=cores(root, cpus, memory),
            usable=tuple(cpu for cpu in usable or cpus if cpu in cpus),
            name=_name(root, told),
            features=features or (),
            nodes=memory,
            caches=found_caches,
            quota=_quota(root),
            isolated=isolated(root),
            unknown=tuple(what for what, lacking in lacks.items() if lacking),
        )


def _cpuinfo(root: Path) -> list[dict[str, str]]:
    """The fields of each CPU in /proc/cpuinfo (proc_cpuinfo(5)); [] without it."""
    found = []
    for block in (text(root / "proc/cpuinfo") or "").split("\n\n"):
        lines = (line.partition(":") for line in block.splitlines())
        fields = {name.strip(): value.strip() for name, colon, value in lines if colon}
        if "processor" in fields:
            found.append(fields)
    return found


def _listed(told: list[dict[str, str]]) -> tuple[int, ...]:
    return tuple(sorted({number for cpu in told if (number := decimal(cpu["processor"])) is not None}))


def _architecture(told: list[dict[str, str]]) -> str:
    """Of a machine whose /proc/cpuinfo lies somewhere else: uname(2) speaks of this one."""
    if any("CPU implementer" in cpu for cpu in told):
        return "aarch64"
    return "x86_64" if any("vendor_id" in cpu for cpu in told) else architecture()


def _usable(root: Path) -> tuple[int, ...] | None:
    """Those that this process's affinity allows, which is within the cpuset of its control group (cpuset(7))."""
    for line in (text(root / "proc/self/status") or "").splitlines():
        name, _, value = line.partition(":")
        if name == "Cpus_allowed_list":
            return numbers(value) or None
    return tuple(sorted(os.sched_getaffinity(0))) if root == Path("/") else None


def _quota(root: Path) -> int | None:
    try:
        return linux_cgroup.cpu_quota(root)
    except (ValueError, ArithmeticError):
        # Nothing that a kernel writes; this never fails.
        return None


def _name(root: Path, told: list[dict[str, str]]) -> str | None:
    for cpu in told:
        if name := cpu.get("model name"):
            return name
    # An ARM server says its maker's and the part's number, a board its own name.
    for cpu in told:
        if "CPU implementer" in cpu:
            board = text(root / "proc/device-tree/model")
            part = f"implementer {cpu['CPU implementer']}, part {cpu.get('CPU part', 'unknown')}"
            return f"{board} ({part})" if board else part
    return None
