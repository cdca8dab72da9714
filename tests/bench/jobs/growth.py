"""What waiting jobs cost: memory of the daemon for each, and time of its start after a kill, by how many there are."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path
from typing import Any

from ndfd.store import Store
from tests.bench.jobs.daemons import daemon, rss_bytes, socket, stop_workers
from tests.bench.jobs.submitters import Submitters
from tests.bench.report import progress

#: Shares of the jobs at which the memory is looked at.
_AT = (0.0, 0.2, 0.5, 1.0)
#: Small, since a hundred thousand of them lie on the disk; no worker gets to see one.
_CONTENT = b"%PDF-1.4 waits for its worker\n" * 10 + b"%% %012d" % 0
_FIRST = 2000
_AT_ONCE = 2000
_LAST = "slope_of_the_last_half_bytes_per_job"


def measure(folder: Path, jobs: int, clients: int) -> dict[str, Any]:
    """Bytes of memory by number of jobs that wait; seconds from the start of a process until it is ready."""
    root = folder / "daemon-growth"
    empty_s = _ready_s(folder / "daemon-empty")
    with daemon(root) as started:
        stop_workers(started)
        with Submitters(socket(started), clients, _CONTENT, name="waiting") as submitters:
            # Pools of memory and caches fill once.
            submitters.submit(_FIRST)
            rss = {0: _settled_rss(started)}
            for share in _AT[1:]:
                while submitters.number < _FIRST + share * jobs:
                    submitters.submit(min(_AT_ONCE, _FIRST + round(share * jobs) - submitters.number))
                    progress(submitters.number - _FIRST, jobs, "jobs wait")
                rss[round(share * jobs)] = _settled_rss(started)
        # With the block it is killed.
    begun = time.perf_counter()
    store = Store.open(root / "state", keep_free_bytes=0)
    open_s = time.perf_counter() - begun
    asyncio.run(_close(store))
    ready_s = _ready_s(root)
    counts = list(rss)
    return {
        "rss_bytes": {str(count): value for count, value in rss.items()},
        "slope_bytes_per_job": statistics.linear_regression(counts, [rss[count] for count in counts]).slope,
        _LAST: (rss[counts[-1]] - rss[counts[-2]]) / (counts[-1] - counts[-2]),
        "store_open_s": open_s,
        "ready_s": ready_s,
        "ready_empty_s": empty_s,
    }


def _settled_rss(started: Any) -> int:
    """The least of some moments at rest."""
    least = rss_bytes(started)
    for _ in range(5):
        time.sleep(0.2)
        least = min(least, rss_bytes(started))
    return least


def _ready_s(root: Path) -> float:
    begun = time.perf_counter()
    with daemon(root):
        return time.perf_counter() - begun


async def _close(store: Store) -> None:
    await store.start()
    await store.close()


def lines(figures: dict[str, Any]) -> list[str]:
    """The same for people."""
    rss = ", ".join(f"{value / 1e6:.1f} MB with {count}" for count, value in figures["rss_bytes"].items())
    return [
        f"memory of the daemon: {rss} jobs waiting",
        f"  {figures['slope_bytes_per_job']:.0f} bytes a job, over the last half {figures[_LAST]:.0f}",
        f"after a kill with these jobs: the store open after {figures['store_open_s']:.2f} s",
        f"  the daemon ready after {figures['ready_s']:.2f} s; {figures['ready_empty_s']:.2f} s without jobs",
    ]
