"""Accelerators by the vendors' libraries: real shared objects with the vendors' functions, good ones and bad ones.

Each is compiled here, found by the system's own loader, and asked by the real program in its own process.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ndfd.model.hardware import Accelerators, Backend, BackendState, Device
from ndfd.platform import accelerator_probe, accelerators
from ndfd.platform.base_hardware import MachineParts
from ndfd.platform.machine import machine_parts

COMPILER = shutil.which(os.environ.get("CC", "cc"))
SOURCES = Path(__file__).parent / "vendors"
GPUS = (Device("Fake GPU 0", 80 << 30), Device("Fake GPU 1", 81 << 30))
#: For a library that answers: as long as a busy machine may take to start a Python.
PATIENCE_S = 60.0

pytestmark = pytest.mark.skipif(
    COMPILER is None or sys.platform != "linux", reason="needs a C compiler and Linux's loader"
)

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Compiles a vendor's library to where the loader looks first: `install("nvml", "libnvidia-ml.so.1", "HANGS")`."""
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))

    def compiled(source: str, name: str, *defined: str) -> Path:
        assert COMPILER is not None
        library = tmp_path / name
        flags = ["-shared", "-fPIC", "-Wall", "-Werror", *(f"-D{macro}" for macro in defined)]
        subprocess.run([COMPILER, *flags, "-o", library, SOURCES / f"{source}.c"], check=True)
        return library

    return compiled


@pytest.fixture(autouse=True)
def nobody_is_left() -> Iterator[None]:
    """Every process that was started has ended and was waited for."""
    before = children()
    yield
    assert children() == before
    assert accelerators._stuck == []


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def asked(backend: Backend, limit_s: float = PATIENCE_S) -> Accelerators:
    """Of this one alone, which takes a third of the time of all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(machine_parts), "libraries", {backend: machine_parts.libraries[backend]})
        (found,) = accelerators.accelerators(limit_s)
    return found


def cuda(install: Install, *defined: str, limit_s: float = PATIENCE_S) -> Accelerators:
    install("nvml", "libnvidia-ml.so.1", *defined)
    return asked(Backend.CUDA, limit_s)


def test_nvidias_library_names_driver_devices_and_memory(install: Install) -> None:
    assert cuda(install) == Accelerators(Backend.CUDA, BackendState.READY, "libnvidia-ml.so.1", "550.54.15", GPUS)


def test_every_backend_of_this_system_is_told_of_in_one_order(install: Install) -> None:
    found = accelerators.accelerators(PATIENCE_S)
    assert [each.backend for each in found] == list(machine_parts.libraries)


def test_a_device_that_shares_the_machines_memory_has_none_of_its_own(install: Install) -> None:
    found = cuda(install, "MEMORY_STATUS=3")
    assert found.state is BackendState.READY
    assert [device.memory_bytes for device in found.devices] == [None, None]


def test_a_library_without_devices_is_told_from_none(install: Install) -> None:
    found = cuda(install, "DEVICES=0")
    assert (found.state, found.driver, found.devices) == (BackendState.EMPTY, "550.54.15", ())


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (9, "its kernel module is not loaded"),
        (4, "this user may not ask it"),
        (18, "of different versions"),
        (999, "Unknown Error (status 999)"),
    ],
)
def test_a_library_that_refuses_says_why(install: Install, status: int, reason: str) -> None:
    found = cuda(install, f"INIT_STATUS={status}")
    assert found.state is BackendState.FAILED
    assert reason in (found.problem or "")
    assert f"status {status}" in (found.problem or "")


def test_a_library_that_lacks_a_function_is_named_with_it_and_with_its_driver(install: Install) -> None:
    assert cuda(install, "LACKS_COUNT") == Accelerators(
        Backend.CUDA,
        BackendState.FAILED,
        "libnvidia-ml.so.1",
        "550.54.15",
        problem="it lacks the function nvmlDeviceGetCount_v2",
    )


@pytest.mark.parametrize("where", ["HANGS", "HANGS_WHEN_LOADED"])
def test_a_library_that_hangs_is_given_up(install: Install, where: str) -> None:
    found = cuda(install, where, limit_s=2.0)
    assert (found.state, found.problem) == (BackendState.HUNG, "it did not answer within 2 s")


def test_beside_a_library_that_hangs_the_others_answer(install: Install) -> None:
    install("hip", "libamdhip64.so", "DEVICES=1")
    install("nvml", "libnvidia-ml.so.1", "HANGS")
    begun = time.monotonic()
    found = {each.backend: each for each in accelerators.accelerators(10.0)}
    assert time.monotonic() - begun < 50
    assert found[Backend.CUDA].state is BackendState.HUNG
    assert found[Backend.ROCM].state is BackendState.READY


def test_a_library_that_hangs_when_it_is_unloaded_has_answered_before(install: Install) -> None:
    begun = time.monotonic()
    assert cuda(install, "HANGS_WHEN_UNLOADED", limit_s=300).devices == GPUS
    assert time.monotonic() - begun < 100


@pytest.mark.parametrize(("how", "said"), [("CRASHES", "SIGSEGV"), ("EXITS", "exit status 3")])
def test_a_library_that_ends_the_process_ends_only_the_one_that_asked(install: Install, how: str, said: str) -> None:
    found = cuda(install, how)
    assert found.state is BackendState.CRASHED
    assert found.problem == f"it ended the process that asked it: {said}"


def test_what_a_library_prints_is_no_answer(install: Install, capfd: pytest.CaptureFixture[str]) -> None:
    assert cuda(install, "PRINTS").devices == GPUS
    assert capfd.readouterr() == ("", "")


def test_a_number_of_devices_that_cannot_be_is_refused(install: Install) -> None:
    found = cuda(install, "DEVICES=4000000000u")
    assert (found.state, found.problem) == (BackendState.FAILED, "it tells of 4000000000 devices")


def test_a_device_that_is_counted_and_not_there_is_a_failure(install: Install) -> None:
    found = cuda(install, "DEVICES=3")
    assert found.state is BackendState.FAILED
    assert "nvmlDeviceGetHandleByIndex_v2" in (found.problem or "")


@pytest.mark.parametrize(("macro", "name"), [("NAME_WITHOUT_END", "x" * 96), (r'NAME="\xff%d"', "\ufffd0")])
def test_a_name_that_is_no_text_is_told_as_far_as_it_is(install: Install, macro: str, name: str) -> None:
    assert cuda(install, macro).devices[0].name == name


def test_a_file_that_is_no_library_is_there_and_cannot_be_loaded(tmp_path: Path, install: Install) -> None:
    (tmp_path / "libnvidia-ml.so.1").write_text("no library")
    found = asked(Backend.CUDA)
    assert found.state is BackendState.FAILED
    assert "cannot be loaded" in (found.problem or "")


def test_a_library_that_needs_one_that_is_missing_is_not_taken_for_absent(tmp_path: Path, install: Install) -> None:
    assert COMPILER is not None
    other = tmp_path / "libndfd-another.so"
    source = tmp_path / "another.c"
    source.write_text("int ndfd_another(void) { return 0; }\n")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", other, source], check=True)
    library = tmp_path / "libnvidia-ml.so.1"
    nvml = SOURCES / "nvml.c"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-DNEEDS_ANOTHER", "-o", library, nvml, other], check=True)
    other.unlink()
    found = asked(Backend.CUDA)
    assert found.state is BackendState.FAILED
    assert other.name in (found.problem or "")


def test_a_library_that_is_not_installed_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MachineParts, "libraries", {})
    monkeypatch.setattr(type(machine_parts), "libraries", {Backend.CUDA: ("libndfd-no-such-library.so.1",)})
    assert accelerator_probe.ask(Backend.CUDA) == Accelerators(Backend.CUDA, BackendState.ABSENT)


def test_amds_management_library_is_asked_before_its_runtime(install: Install) -> None:
    install("hip", "libamdhip64.so.7", "DEVICES=1")
    install("rocm_smi", "librocm_smi64.so.7")
    device = Device("Fake Instinct", 192 << 30)
    assert asked(Backend.ROCM) == Accelerators(
        Backend.ROCM, BackendState.READY, "librocm_smi64.so.7", "6.12.12", (device,)
    )


def test_amds_management_library_on_a_machine_without_its_driver_has_no_device(install: Install) -> None:
    install("rocm_smi", "librocm_smi64.so.7", "INIT_STATUS=8")
    assert asked(Backend.ROCM) == Accelerators(Backend.ROCM, BackendState.EMPTY, "librocm_smi64.so.7")
    install("rocm_smi", "librocm_smi64.so.7", "INIT_STATUS=4")
    refused = asked(Backend.ROCM)
    assert (refused.state, refused.problem) == (BackendState.FAILED, "rsmi_init: refused (status 4)")


def test_amds_runtime_alone_will_do(install: Install) -> None:
    install("hip", "libamdhip64.so.7", "DEVICES=2")
    devices = (Device("Fake Radeon 0", 16 << 30), Device("Fake Radeon 1", 17 << 30))
    assert asked(Backend.ROCM) == Accelerators(Backend.ROCM, BackendState.READY, "libamdhip64.so.7", "6.3", devices)
    install("hip", "libamdhip64.so.7", "DEVICES=0")
    assert asked(Backend.ROCM).state is BackendState.EMPTY


def test_opencl_tells_of_the_devices_of_every_driver(install: Install) -> None:
    install("opencl", "libOpenCL.so.1")
    device = Device("Fake Accelerator", 4 << 30, "23.43.027642")
    assert asked(Backend.OPENCL) == Accelerators(
        Backend.OPENCL, BackendState.READY, "libOpenCL.so.1", devices=(device,)
    )
    install("opencl", "libOpenCL.so.1", "NO_PLATFORMS")
    assert asked(Backend.OPENCL).state is BackendState.EMPTY


def test_a_process_that_nobody_waits_for_ends_itself(install: Install) -> None:
    install("nvml", "libnvidia-ml.so.1", "HANGS")
    command = [sys.executable, "-m", "ndfd.platform.accelerator_probe", "1", "cuda"]
    assert subprocess.run(command, stdout=subprocess.DEVNULL, timeout=PATIENCE_S).returncode == -signal.SIGALRM


def test_where_no_process_can_be_started_that_is_said() -> None:
    for found in accelerators.accelerators(PATIENCE_S, ["/no/such/program"]):
        assert found.state is BackendState.FAILED
        assert found.problem == "no process could be started to ask it: No such file or directory"


@pytest.mark.parametrize(
    "answer",
    ["", r"no JSON\n", r"\377\n", r'{"backend": "metal", "state": "empty"}\n', '{"backend": "cuda", "state": "empty"}'],
)
def test_an_answer_that_is_none_is_not_believed(answer: str) -> None:
    command = ["/bin/sh", "-c", f"printf '{answer}'"]
    assert {found.state for found in accelerators.accelerators(PATIENCE_S, command)} == {BackendState.CRASHED}


def test_a_program_that_floods_its_answer_is_ended() -> None:
    found = accelerators.accelerators(PATIENCE_S, ["/bin/sh", "-c", "exec cat /dev/zero"])
    assert {each.state for each in found} == {BackendState.CRASHED}
