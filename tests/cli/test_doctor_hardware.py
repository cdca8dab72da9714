"""What `ndfd doctor` says of the machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ndfd.cli.doctor_hardware import hardware, ranges
from ndfd.model.checkup import Check, Verdict
from ndfd.model.hardware import Accelerators, Backend, BackendState, Device, Hardware
from ndfd.platform.linux_hardware import LinuxParts
from ndfd.protocol.varlink_interfaces import GET_HARDWARE
from ndfd.server.access import ACCESS
from ndfd.testing import machines
from tests.cli.conftest import Ndfd
from tests.server.doors import Doors


def on(root: Path, *accelerators: Accelerators) -> dict[str, Check]:
    found = Hardware(LinuxParts().processor(root), accelerators)
    return {check.name: check for check in hardware(found)}


def test_a_hybrid_laptop(tmp_path: Path) -> None:
    found = on(machines.hybrid_laptop(tmp_path))
    assert {check.verdict for check in found.values()} == {Verdict.OK}
    assert found["processor"].text == "13th Gen Intel(R) Core(TM) i5-1334U, x86_64"
    assert found["cores"].text == "6 cores (2 for performance, 4 for efficiency) in 1 socket, 8 CPUs"
    assert found["instructions"].text == "x86-64-v3, avxvnni, aes, vaes, pclmul, vpclmulqdq, gfni, sha"
    assert found["caches"].text == (
        "L1d 48 KiB for 2 CPUs × 2, L1d 32 KiB × 4, L1i 32 KiB for 2 CPUs × 2, L1i 64 KiB × 4, "
        "L2 1280 KiB for 2 CPUs × 2, L2 2 MiB for 4 CPUs, L3 12 MiB for 8 CPUs"
    )
    assert found["memory nodes"].text == "one: all memory is equally near"


def test_a_container_on_a_server(tmp_path: Path) -> None:
    found = on(machines.container(tmp_path))
    assert found["cores"].text == "8 cores in 2 sockets, 15 CPUs; usable 1-3,10-11; time for 3; isolated 6,14"
    assert found["instructions"].text.startswith("x86-64-v4, avx512ifma")
    assert found["memory nodes"].text == (
        "0: 0-3,8-11 CPUs, 134.2 GB; 1: 4-7,12-14 CPUs, 134.2 GB; 2: no CPUs, 134.2 GB"
    )


def test_an_arm_servers_instructions_have_no_level_of_another(tmp_path: Path) -> None:
    assert on(machines.arm_server(tmp_path))["instructions"].text.startswith("fp, neon, aes")


def test_what_the_system_does_not_tell_is_not_made_up(tmp_path: Path) -> None:
    found = on(machines.bare(tmp_path / "none"))
    assert found["cores"].text.endswith("how they make up cores is not told")
    assert found["instructions"].text == found["caches"].text == "not told"
    assert {check.verdict for check in found.values()} == {Verdict.OK}


def test_accelerators_are_told_as_they_were_found(tmp_path: Path) -> None:
    found = on(
        machines.bare(tmp_path / "none"),
        Accelerators(
            Backend.CUDA, BackendState.READY, "libnvidia-ml.so.1", "550.1", (Device("One", 80 * 10**9), Device("Two"))
        ),
        Accelerators(Backend.ROCM, BackendState.EMPTY, "librocm_smi64.so.7", "6.12"),
        Accelerators(Backend.METAL, BackendState.ABSENT),
        Accelerators(Backend.OPENCL, BackendState.HUNG, problem="it did not answer within 5 s"),
    )
    assert found["CUDA"].text == "One with 80.0 GB; Two; driver 550.1"
    assert found["ROCm"].text == "no device; librocm_smi64.so.7 is installed, driver 6.12"
    assert found["Metal"].text.startswith("none: its library is not installed")
    assert (found["OpenCL"].verdict, found["OpenCL"].text) == (Verdict.WARNING, "it did not answer within 5 s")
    assert "ndfd does without" in found["OpenCL"].advice


def test_a_daemon_that_does_not_tell_is_a_warning_and_no_more(ndfd_at: Ndfd, doors: Doors) -> None:
    access = {method: rule for method, rule in ACCESS.items() if method != GET_HARDWARE}
    doors.serving.current = doors.generation(1, access=access)
    ran = ndfd_at("doctor", "--running")
    assert ran.status == 0
    assert "  warning  hardware          " in ran.stdout


@pytest.mark.parametrize(("cpus", "text"), [((), ""), ((3,), "3"), ((8, 0, 1, 2), "0-2,8"), ((0, 2, 3), "0,2-3")])
def test_cpus_are_listed_as_the_kernel_lists_them(cpus: tuple[int, ...], text: str) -> None:
    assert ranges(cpus) == text


def test_the_running_daemons_machine_is_told_in_words_and_in_json(ndfd_at: Ndfd) -> None:
    ran = ndfd_at("doctor", "--running")
    assert "\nhardware\n" in ran.stdout
    assert "  ok       CUDA              Fake GPU with 8.6 GB; driver 550.1\n" in ran.stdout
    told = json.loads(ndfd_at("doctor", "--running", "--json").stdout)["hardware"]
    assert told["processor"]["features"] == ["avx2"]
    assert told["accelerators"][0]["devices"] == [{"name": "Fake GPU", "memory_bytes": 8 << 30}]
