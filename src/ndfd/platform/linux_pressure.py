"""Pressure stall information: how long processes waited for what they needed (Documentation/accounting/psi.rst)."""

from __future__ import annotations

from pathlib import Path

from ndfd.platform import linux_cgroup
from ndfd.platform.base import Pressure


def pressure(root: Path = Path("/")) -> Pressure | None:
    """The higher of the machine's and of the control group's own; None when neither can be read.

    The machine's says nothing of a limit of the group, and the group's nothing of neighbours while the group is idle.
    Neither is there on kernels without PSI (before 4.20, or booted with psi=0). `root` is where proc and sys are looked
    for.
    """
    group = linux_cgroup.unified_group(root)
    cpu = _highest(root / "proc/pressure/cpu", None if group is None else group / "cpu.pressure")
    memory = _highest(root / "proc/pressure/memory", None if group is None else group / "memory.pressure")
    return None if cpu is None or memory is None else Pressure(cpu, memory)


def _highest(*files: Path | None) -> float | None:
    readings = [reading for file in files if file is not None and (reading := _some(file)) is not None]
    return max(readings, default=None)


def _some(file: Path) -> float | None:
    """The first line is "some avg10=1.53 avg60=0.87 avg300=0.40 total=157622151", in per cent and microseconds."""
    try:
        kind, average, *_ = file.read_text("ascii").split()
        if kind != "some":
            return None
        return float(average.removeprefix("avg10="))
    except (OSError, ValueError):
        return None
