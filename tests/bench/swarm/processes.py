"""What the kernel says of running processes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from ndfd.client import Client


def cpu_s(pids: Iterable[int]) -> float:
    """CPU seconds that all threads of these processes have taken, to the nanosecond (proc_pid_schedstat(5))."""
    taken_ns = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            # A thread may have ended meanwhile.
            with contextlib.suppress(OSError):
                taken_ns += int(thread.read_text().split()[0])
    return taken_ns / 1e9


def run_on(pid: int, cpus: frozenset[int]) -> None:
    """Moves a process with all its threads; those that it starts later follow."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cpus)


def daemon_pid(client: Client) -> int:
    """Of the daemon behind a connection."""
    return client.status().pid


def worker_pids(client: Client) -> list[int]:
    """Of the workers that there are now."""
    return [worker.pid for worker in client.status().workers]
