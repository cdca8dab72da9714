"""Machines as /sys tells of them, in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

#: By processor: package, core, node.
Plain = dict[int, tuple[int, int, int]]


def smt(packages: int, cores: int, threads: int) -> Plain:
    """As Linux numbers them: the first processor of every core, then the second ones; a node for each package."""
    total = packages * cores
    return {
        thread * total + core: (core // cores, core % cores, core // cores)
        for thread in range(threads)
        for core in range(total)
    }


def write_machine(
    root: Path,
    cpus: Plain,
    *,
    isolated: str = "",
    efficient: str | None = None,
    capacities: dict[int, int] | None = None,
) -> Path:
    """The files of these processors below `root`."""
    system = root / "sys/devices/system"
    nodes: dict[int, list[int]] = {}
    for number, (package, core, node) in cpus.items():
        folder = system / f"cpu/cpu{number}"
        _write(folder / "topology/physical_package_id", str(package))
        _write(folder / "topology/core_id", str(core))
        if capacities is not None:
            _write(folder / "cpu_capacity", str(capacities[number]))
        nodes.setdefault(node, []).append(number)
    for node, numbers in nodes.items():
        _write(system / f"node/node{node}/cpulist", _listed(numbers))
    _write(system / "cpu/isolated", isolated)
    if efficient is not None:
        _write(root / "sys/devices/cpu_atom/cpus", efficient)
    return root


def _listed(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The kernel ends each with a line's end.
    path.write_text(f"{text}\n")
