"""The processors as /sys tells of them (Documentation/ABI/testing/sysfs-devices-system-cpu of the kernel)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from ndfd.model.topology import Cpu, Topology, listed_cpus

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
    for number in sorted(allowed):
        folder = system / f"cpu/cpu{number}"
        package = _number(folder / "topology/physical_package_id", 0)
        core = _number(folder / "topology/core_id", number)
        sibling = cores.get((package, core), 0)
        cores[package, core] = sibling + 1
        found.append(
            Cpu(
                number,
                package=package,
                core=core,
                sibling=sibling,
                node=nodes.get(number, 0),
                capacity=_number(folder / "cpu_capacity", _EFFICIENT if number in efficient else _FULL),
                isolated=number in isolated,
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
    try:
        return listed_cpus(path.read_text())
    except (OSError, ValueError):
        return frozenset()


def _number(path: Path, otherwise: int) -> int:
    """A package or core that the kernel does not know is -1 there, which is no name of one."""
    try:
        number = int(path.read_text())
    except (OSError, ValueError):
        return otherwise
    return number if number >= 0 else otherwise
