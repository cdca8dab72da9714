"""Descriptors on processes, their memory, their CPUs."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.errors import WorkerStartFailed
from ndfd.platform import linux_cgroup
from ndfd.platform.base import Platform


def test_a_process_is_killed_through_its_descriptor_and_reaped_once() -> None:
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    pidfd = platform.pidfd(pid)
    assert platform.reap(pidfd) is None
    platform.kill(pidfd)
    select.select([pidfd], [], [])
    assert platform.reap(pidfd) == -signal.SIGKILL
    assert platform.reap(pidfd) is None
    platform.kill(pidfd)
    os.close(pidfd)


def test_an_exit_status_is_reaped_as_it_was() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    pidfd = platform.pidfd(pid)
    select.select([pidfd], [], [])
    assert platform.reap(pidfd) == 7
    os.close(pidfd)


def test_a_process_that_is_no_child_is_not_reaped() -> None:
    pidfd = platform.pidfd(1)
    assert platform.reap(pidfd) is None
    os.close(pidfd)


def test_the_resident_set_grows_with_what_is_touched() -> None:
    before = platform.resident_bytes(os.getpid())
    touched = bytearray(b"x") * 50_000_000
    assert platform.resident_bytes(os.getpid()) - before > 40_000_000
    del touched


def test_a_process_that_is_gone_has_no_memory() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert platform.resident_bytes(process.pid) == 0


def test_no_more_cpus_are_counted_than_the_process_may_run_on() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert platform.usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert 1 <= platform.usable_cpus() <= len(allowed)


def forked(child: Callable[[], None]) -> int:
    """The exit status of a process that does this: 1 when it raised."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            child()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_process_that_is_told_so_runs_on_these_cpus_only() -> None:
    allowed = platform.allowed_cpus()

    def child() -> None:
        for cpu in allowed:
            platform.run_on_cpus(frozenset({cpu}))
            assert platform.allowed_cpus() == {cpu}
        platform.run_on_cpus(allowed)
        assert platform.allowed_cpus() == allowed

    assert forked(child) == 0
    assert platform.allowed_cpus() == allowed


@pytest.mark.parametrize("others", [frozenset(), platform.allowed_cpus()], ids=["alone", "beside-sound-ones"])
def test_cpus_that_are_not_there_are_named(others: frozenset[int]) -> None:
    def child() -> None:
        with pytest.raises(WorkerStartFailed, match=r"not allowed: 9000, 9001$"):
            platform.run_on_cpus(others | {9000, 9001})

    assert forked(child) == 0


def test_of_very_many_cpus_that_are_not_there_the_first_are_named() -> None:
    def child() -> None:
        with pytest.raises(WorkerStartFailed, match=r"not allowed: 5000, .*, 5031 and 68 more$"):
            platform.run_on_cpus(frozenset(range(5000, 5100)))

    assert forked(child) == 0


def test_usable_memory_is_at_most_the_machines_and_enough_to_run_this() -> None:
    assert 100_000_000 < platform.usable_memory() <= Platform().usable_memory()


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def test_a_quota_of_version_2_is_rounded_up(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {"proc/self/cgroup": "0::/a.slice/b.service\n", "sys/fs/cgroup/a.slice/b.service/cpu.max": "150000 100000\n"},
    )
    assert linux_cgroup.cpu_quota(root) == 2


def test_the_smallest_quota_on_the_way_up_counts(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/a.slice/b.service\n",
            "sys/fs/cgroup/a.slice/b.service/cpu.max": "400000 100000\n",
            "sys/fs/cgroup/a.slice/cpu.max": "50000 100000\n",
        },
    )
    assert linux_cgroup.cpu_quota(root) == 1


def test_a_group_without_a_quota_has_none(tmp_path: Path) -> None:
    root = tree(tmp_path, {"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"})
    assert linux_cgroup.cpu_quota(root) is None


def test_inside_a_container_the_mounted_root_is_looked_at(tmp_path: Path) -> None:
    root = tree(tmp_path, {"proc/self/cgroup": "0::/outside/pod\n", "sys/fs/cgroup/cpu.max": "300000 100000\n"})
    assert linux_cgroup.cpu_quota(root) == 3


def test_a_quota_of_version_1_is_found_under_either_name_of_its_folder(tmp_path: Path) -> None:
    for number, folder in enumerate(("cpu", "cpu,cpuacct")):
        base = f"sys/fs/cgroup/{folder}/docker/x"
        root = tree(
            tmp_path / str(number),
            {
                "proc/self/cgroup": "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/\n",
                f"{base}/cpu.cfs_quota_us": "250000\n",
                f"{base}/cpu.cfs_period_us": "100000\n",
            },
        )
        assert linux_cgroup.cpu_quota(root) == 3


def test_version_1_says_minus_one_for_no_quota(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "1:cpu:/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
    )
    assert linux_cgroup.cpu_quota(root) is None


def test_a_system_without_control_groups_has_no_quota(tmp_path: Path) -> None:
    assert linux_cgroup.cpu_quota(tmp_path) is None


def test_the_smallest_memory_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/a.slice/b.service\n",
            "sys/fs/cgroup/a.slice/b.service/memory.max": "max\n",
            "sys/fs/cgroup/a.slice/memory.max": "3000000000\n",
            "sys/fs/cgroup/memory.max": "5000000000\n",
        },
    )
    assert linux_cgroup.memory_limit(root) == 3_000_000_000


@pytest.mark.parametrize(("text", "limit"), [("2000000000\n", 2_000_000_000), ("9223372036854771712\n", None)])
def test_a_memory_limit_of_version_1_is_found_and_its_word_for_none_understood(
    tmp_path: Path, text: str, limit: int | None
) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/\n",
            "sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": text,
        },
    )
    assert linux_cgroup.memory_limit(root) == limit


def test_a_system_without_control_groups_has_no_memory_limit(tmp_path: Path) -> None:
    assert linux_cgroup.memory_limit(tmp_path) is None
