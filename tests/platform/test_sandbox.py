"""What confines a worker is measured, and what this host or a poorer one lacks is named."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ndfd import platform
from ndfd.errors import WorkerStartFailed
from ndfd.model.sandbox import Sandbox
from ndfd.platform import linux_landlock, linux_sandbox, linux_seccomp, linux_syscalls

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines its workers yet")

_LIMITS = platform.WorkerLimits(500_000_000)


def test_this_host_confines_its_workers_wholly() -> None:
    sandbox = whole()
    assert sandbox.no_new_privs
    assert not sandbox.dumpable
    assert sandbox.seccomp == 2
    assert sandbox.seccomp_filters >= 1
    assert sandbox.landlock_abi >= linux_landlock.SCOPES_SINCE
    assert sandbox.mdwe
    assert sandbox.capabilities == 0
    assert sandbox.rlimits["address_space_bytes"] == sandbox.rlimits["file_bytes"] == 500_000_000
    assert sandbox.rlimits["core_bytes"] == sandbox.rlimits["processes"] == 0


def test_what_was_tried_was_stopped_and_how_is_told() -> None:
    assert {
        "open: EACCES",
        "socket: killed",
        "execute: killed",
        "fork: killed",
        "executable-memory: killed",
        "make-executable: killed",
        "signal: killed",
        "ptrace: killed",
        "namespace: killed",
        "io-uring: killed",
        "open-by-landlock: EACCES",
        "connect-by-landlock: EACCES",
        "signal-by-landlock: EPERM",
    } == set(whole().denied)


def test_a_kernel_without_landlock_is_named_and_the_filter_still_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux_landlock, "abi", lambda machine: 0)
    sandbox = platform.measure_confinement(_LIMITS)
    assert "landlock" in sandbox.missing
    assert sandbox.landlock_abi == 0
    assert "seccomp" in sandbox.missing or "open: EACCES" in sandbox.denied


@pytest.mark.parametrize(
    ("version", "lacks"),
    [(1, {"landlock-tcp", "landlock-scopes"}), (4, {"landlock-scopes"}), (6, set())],
)
def test_what_an_older_landlock_lacks_is_named(monkeypatch: pytest.MonkeyPatch, version: int, lacks: set[str]) -> None:
    whole()
    monkeypatch.setattr(linux_landlock, "abi", lambda machine: version)
    sandbox = platform.measure_confinement(_LIMITS)
    assert set(sandbox.missing) == lacks
    assert sandbox.landlock_abi == version
    assert "open-by-landlock: EACCES" in sandbox.denied


def test_without_filters_of_system_calls_what_gets_through_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with_filter = whole().seccomp_filters
    monkeypatch.setattr(linux_seccomp, "install", refuse)
    sandbox = platform.measure_confinement(_LIMITS)
    assert sandbox.missing == ("seccomp",)
    assert {"socket", "ptrace", "namespace"} <= set(sandbox.passed)
    assert sandbox.calls == 0
    assert sandbox.seccomp_filters == with_filter - 1


def test_a_machine_whose_calls_are_not_known_is_not_filtered_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux_syscalls, "this_machine", lambda: None)
    sandbox = platform.measure_confinement(_LIMITS)
    assert {"seccomp", "landlock"} <= set(sandbox.missing)
    assert sandbox.no_new_privs


def test_a_measure_that_fails_is_named_and_does_not_keep_the_others_off(monkeypatch: pytest.MonkeyPatch) -> None:
    whole()
    monkeypatch.setattr(linux_sandbox, "_drop_capabilities", lambda: refuse())
    sandbox = platform.measure_confinement(_LIMITS)
    assert sandbox.missing == ("capabilities",)
    assert sandbox.seccomp == 2


def test_a_confined_process_that_cannot_live_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux_sandbox, "filter_calls", lambda: os._exit(3))
    with pytest.raises(WorkerStartFailed, match="ended with status 3"):
        platform.measure_confinement(_LIMITS)


def test_landlock_is_asked_for_all_that_its_version_knows() -> None:
    def words(version: int) -> list[int]:
        given = linux_landlock.attributes(version)
        return [int.from_bytes(given[at : at + 8], sys.byteorder) for at in range(0, 24, 8)]

    assert words(1) == [0x1FFF, 0, 0]
    assert words(2) == [0x3FFF, 0, 0]
    assert words(3) == [0x7FFF, 0, 0]
    assert words(4) == [0x7FFF, 3, 0]
    assert words(5) == [0xFFFF, 3, 0]
    assert words(6) == words(7) == [0xFFFF, 3, 3]


def whole() -> Sandbox:
    """The measured confinement; the test is skipped on a host that lacks a part of it."""
    sandbox = whole_or_less()
    if sandbox.missing:
        pytest.skip(f"this host lacks {', '.join(sandbox.missing)}")
    return sandbox


def whole_or_less() -> Sandbox:
    return platform.measure_confinement(_LIMITS)


def refuse(*_arguments: object) -> None:
    raise OSError(1, "not here")


def test_a_process_with_this_environment_keeps_what_it_frees() -> None:
    """How often it goes to the kernel for the same block, over and over."""
    program = (
        "import ctypes, resource\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.malloc.restype = ctypes.c_void_p\n"
        "libc.memset.argtypes = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t\n"
        "libc.free.argtypes = (ctypes.c_void_p,)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(20):\n"
        "    blocks = [libc.malloc(1_000_000) for _ in range(16)]\n"
        "    [libc.memset(block, 1, 1_000_000) for block in blocks]\n"
        "    [libc.free(block) for block in blocks]\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
    )

    def faults(environment: dict[str, str]) -> int:
        return int(
            subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True).stdout
        )

    plain = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    kept = dict(platform.allocator_environment(plain, huge_pages=False))
    if os.confstr("CS_GNU_LIBC_VERSION") is None:
        pytest.skip("this C library has no such tunables")
    assert faults(kept) < faults(plain) / 3


def test_what_the_operator_tells_the_allocator_wins() -> None:
    given = {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1", "OTHER": "kept"}
    made = platform.allocator_environment(given, huge_pages=True)
    assert made["GLIBC_TUNABLES"].split(":")[-2:] == ["glibc.malloc.hugetlb=1", "glibc.malloc.trim_threshold=1"]
    assert made["OTHER"] == "kept"
