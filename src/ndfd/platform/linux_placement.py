"""The processors as /sys tells of them (Documentation/ABI/testing/sysfs-devices-system-cpu of the kernel)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from ndfd.model.topology import Cpu, Topology
from ndfd.platform.linux_topology import number, numbers, text

#: Of the fastest cores, in cpu_capacity and here.
_FULL = 1024
#: Where nothing but the kind of a core is known (Intel's hybrid processors); an efficient one does about half as much.
_EFFICIENT = 512


def topology(allowed: Iterable[int], root: Path = Path("/")) -> Topology:
    """Of the processors with these numbers. What /sys does not say of one is as on a plain machine."""
    system = root / "sys/devices/system"
    isolated = _listed(system / "cpu/isolated")
    efficient = _listed(root / "sys/devices/cpu_atom/cpus")
    nodes = _nodes(system / "node")
    found = []
    # Siblings are counted among those that are allowed: the second of a core whose first is not is its first.
    cores: dict[tuple[int, int], int] = {}
    for cpu in sorted(allowed):
        folder = system / f"cpu/cpu{cpu}"
        package = _number(folder / "topology/physical_package_id", 0)
        core = _number(folder / "topology/core_id", cpu)
        sibling = cores.get((package, core), 0)
        cores[package, core] = sibling + 1
        found.append(
            Cpu(
                cpu,
                package=package,
                core=core,
                sibling=sibling,
                node=nodes.get(cpu, 0),
                capacity=_number(folder / "cpu_capacity", _EFFICIENT if cpu in efficient else _FULL),
                isolated=cpu in isolated,
            )
        )
    return Topology(tuple(found))


def _nodes(folder: Path) -> dict[int, int]:
    """By processor, the number of its node."""
    found = {}
    with contextlib.suppress(OSError):
        for node in folder.iterdir():
            if (match := re.fullmatch(r"node(\d+)", node.name)) is not None:
                found.update(dict.fromkeys(_listed(node / "cpulist"), int(match[1])))
    return found


def _listed(path: Path) -> frozenset[int]:
    return frozenset(numbers(text(path)) or ())


def _number(path: Path, otherwise: int) -> int:
    found = number(path)
    return otherwise if found is None else found
