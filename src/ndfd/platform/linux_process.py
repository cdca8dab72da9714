"""Linux: the knobs of a process, and its children."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
from collections.abc import Mapping
from pathlib import Path

from ndfd.model.topology import ProcessLimits, Topology
from ndfd.platform import linux_host, linux_memory, linux_placement, linux_scheduling
from ndfd.platform.base_process import Knob, Process
from ndfd.platform.linux_sandbox import prctl

# include/uapi/linux/prctl.h
_PR_GET_CHILD_SUBREAPER = 37


class LinuxProcess(Process):
    """The answers of Linux."""

    name = "Linux"

    def knobs(self) -> Mapping[str, Knob]:
        """By name."""
        return _KNOBS

    def adopts_orphans(self) -> bool:
        """PID 1 of its namespace, and whoever was made a subreaper (PR_SET_CHILD_SUBREAPER of prctl(2))."""
        if os.getpid() == 1:
            return True
        flag = ctypes.c_int(0)
        with contextlib.suppress(OSError):
            prctl(_PR_GET_CHILD_SUBREAPER, ctypes.addressof(flag))
        return flag.value != 0

    def ended_children(self) -> frozenset[int]:
        """By state and parent in /proc/PID/stat; none where there is no /proc."""
        ours, ended = str(os.getpid()).encode(), set()
        with contextlib.suppress(OSError):
            for process in Path("/proc").iterdir():
                # Not for one that has gone meanwhile.
                with contextlib.suppress(OSError):
                    # Behind the name, which may hold any character.
                    stat = (process / "stat").read_bytes().rpartition(b")")[2] if process.name.isdecimal() else b""
                    if stat.split()[:2] == [b"Z", ours]:
                        ended.add(int(process.name))
        return frozenset(ended)

    def topology(self, root: Path = Path("/")) -> Topology:
        """Those of the affinity mask, which is within the cpuset of the control group, as /sys tells of them."""
        return linux_placement.topology(os.sched_getaffinity(0), root)

    def limits(self, root: Path = Path("/")) -> ProcessLimits:
        """getrlimit(2), /proc and /sys."""
        soft, hard = linux_host.limit(resource.RLIMIT_NOFILE)
        return ProcessLimits(
            open_files=soft,
            open_files_max=hard,
            oom_score=_number(root / "proc/self/oom_score_adj"),
            autogroups=_number(root / "proc/sys/kernel/sched_autogroup_enabled") == 1,
            huge_pages=linux_memory.huge_page_mode(root),
        )


def _open_files() -> str:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return "unlimited" if soft == resource.RLIM_INFINITY else str(soft)


def _set_open_files(text: str) -> None:
    """The hard limit, as high as the soft one may be set again, stays."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = resource.RLIM_INFINITY if text == "unlimited" else int(text)
    if number < 0 and number != resource.RLIM_INFINITY:
        raise ValueError(f"{number} is no limit")
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


_KNOBS = {
    "affinity": Knob(linux_scheduling.cpus, linux_scheduling.set_cpus),
    "autogroup": Knob(
        linux_scheduling.autogroup_nice, linux_scheduling.set_autogroup_nice, "CAP_SYS_NICE, or LimitNICE= of systemd"
    ),
    "huge_pages": Knob(linux_memory.huge_pages, linux_memory.set_huge_pages),
    "io_priority": Knob(linux_scheduling.io_priority, linux_scheduling.set_io_priority, "CAP_SYS_NICE"),
    "memory_lock": Knob(linux_memory.locked, linux_memory.set_locked, "CAP_IPC_LOCK, or LimitMEMLOCK= of systemd"),
    "memory_policy": Knob(linux_memory.memory_policy, linux_memory.set_memory_policy, "CAP_SYS_NICE in containers"),
    "oom_score": Knob(linux_memory.oom_score, linux_memory.set_oom_score, "CAP_SYS_RESOURCE to lower it"),
    "open_files": Knob(_open_files, _set_open_files),
    "scheduling": Knob(
        linux_scheduling.policy, linux_scheduling.set_policy, "CAP_SYS_NICE, or LimitRTPRIO= of systemd"
    ),
    "timer_slack": Knob(linux_scheduling.timer_slack, linux_scheduling.set_timer_slack),
}
