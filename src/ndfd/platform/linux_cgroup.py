"""The CPU quota and the memory limit of the control group that this process is in, version 2 or 1 (cgroups(7))."""

from __future__ import annotations

from pathlib import Path, PurePosixPath


def cpu_quota(root: Path = Path("/")) -> int | None:
    """CPUs' worth of time, rounded up; None without a quota. `root` is where proc and sys are looked for.

    A group's quota bounds every group below it, so the smallest on the way up counts. Inside a container the path that
    the kernel names may lie outside what is mounted; then only what is mounted is looked at.
    """
    quotas = [quota for group in _groups(root, "cpu") if (quota := _quota(group)) is not None]
    return min(quotas) if quotas else None


def memory_limit(root: Path = Path("/")) -> int | None:
    """Bytes that the group may take; None without a limit. The smallest on the way up counts, as for the quota."""
    limits = [limit for group in _groups(root, "memory") if (limit := _limit(group)) is not None]
    return min(limits) if limits else None


def unified_group(root: Path = Path("/")) -> Path | None:
    """The folder of the group in the hierarchy of version 2, where it is mounted."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("0::"):
            folder = root / "sys/fs/cgroup" / line.removeprefix("0::").lstrip("/")
            return folder if (folder / "cgroup.controllers").is_file() else None
    return None


def _groups(root: Path, controller: str) -> list[Path]:
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    mounted = root / "sys/fs/cgroup"
    folders: list[Path] = []
    for line in lines:
        # hierarchy-ID:controller-list:path; version 2 is 0::path.
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            base = mounted
        elif controller in controllers.split(","):
            base = mounted / controllers
            if not base.is_dir():
                base = mounted / controller
        else:
            continue
        group = PurePosixPath(path)
        folders += [base / each.relative_to("/") for each in (group, *group.parents)]
    return folders


def _quota(group: Path) -> int | None:
    try:
        if (unified := group / "cpu.max").is_file():
            quota, period = unified.read_text().split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text().strip()
            period = (group / "cpu.cfs_period_us").read_text().strip()
    except (OSError, ValueError):
        return None
    # "max" in version 2, -1 in version 1.
    if not quota.isdecimal():
        return None
    return max(1, -(-int(quota) // int(period)))


def _limit(group: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        try:
            text = (group / name).read_text().strip()
        except OSError:
            continue
        # "max" in version 2; version 1 has no word for it, but a number that no machine has.
        return int(text) if text.isdecimal() and int(text) < 2**62 else None
    return None
