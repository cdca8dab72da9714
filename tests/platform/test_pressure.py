"""How short the machine is of CPUs and memory, by the kernel's word."""

from __future__ import annotations

from pathlib import Path

import pytest

from ndfd import platform
from ndfd.platform import Pressure, linux_pressure
from ndfd.platform.base import Platform
from ndfd.platform.darwin import Darwin
from ndfd.platform.windows import Windows

GROUP = "sys/fs/cgroup/a.slice/b.service"


def line(average: float) -> str:
    return f"some avg10={average:.2f} avg60=80.00 avg300=90.00 total=157622151\nfull avg10=99.00 avg60=0.00 total=1\n"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


MACHINE = {
    "proc/pressure/cpu": line(12.5),
    "proc/pressure/memory": line(3.0),
    "proc/self/cgroup": "0::/a.slice/b.service\n",
}


def test_the_machines_pressure_is_the_first_average_of_some(tmp_path: Path) -> None:
    assert linux_pressure.pressure(tree(tmp_path, MACHINE)) == Pressure(12.5, 3.0)


def test_of_the_machine_and_the_group_the_one_that_is_shorter_counts(tmp_path: Path) -> None:
    group = {
        f"{GROUP}/cgroup.controllers": "cpu memory\n",
        f"{GROUP}/cpu.pressure": line(2.0),
        f"{GROUP}/memory.pressure": line(40.25),
    }
    assert linux_pressure.pressure(tree(tmp_path, MACHINE | group)) == Pressure(12.5, 40.25)


def test_a_group_counts_where_the_machine_does_not_say(tmp_path: Path) -> None:
    group = {
        "proc/self/cgroup": "4:memory:/x\n0::/a.slice/b.service\n",
        f"{GROUP}/cgroup.controllers": "cpu memory\n",
        f"{GROUP}/cpu.pressure": line(1.0),
        f"{GROUP}/memory.pressure": line(2.0),
    }
    assert linux_pressure.pressure(tree(tmp_path, group)) == Pressure(1.0, 2.0)


@pytest.mark.parametrize("text", ["", "full avg10=1.00\n", "some\n", "some avg10=much\n", "some total=5\n", "\x00\n"])
def test_what_is_no_pressure_is_none(tmp_path: Path, text: str) -> None:
    assert linux_pressure.pressure(tree(tmp_path, MACHINE | {"proc/pressure/memory": text})) is None


def test_a_kernel_without_it_says_nothing(tmp_path: Path) -> None:
    assert linux_pressure.pressure(tmp_path) is None


def test_this_machines_is_a_share_or_nothing() -> None:
    reading = platform.pressure()
    if not Path("/proc/pressure/cpu").exists():
        pytest.skip("this kernel has no /proc/pressure")
    assert reading is not None
    assert 0 <= reading.cpu_percent <= 100
    assert 0 <= reading.memory_percent <= 100


@pytest.mark.parametrize("system", [Platform(), Darwin(), Windows()], ids=lambda system: system.name)
def test_other_systems_say_nothing(system: Platform) -> None:
    assert system.pressure() is None
