"""What a daemon costs that has nothing to do: memory, wakeups and CPU time of each of its processes.

Memory is what /proc/PID/smaps_rollup says: Pss counts a page that n processes share as 1/n of it for each, so that it
adds up; Uss is what would be free if the process ended. A wakeup is a voluntary context switch of any thread: the end
of a wait. They are counted from outside, which wakes nobody. Without further settings each daemon has the defaults.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

#: Seconds after the start until what it brings about has come to rest.
_SETTLE_S = 5.0
_START_LIMIT_S = 60.0
_SWITCHES = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reading:
    """One process at one moment."""

    role: str
    pss_bytes: int
    uss_bytes: int
    rss_bytes: int
    threads: int
    #: Since its start.
    wakeups: int
    cpu_ns: int


@dataclass(frozen=True, slots=True)
class Cost:
    """One process over the window."""

    role: str
    pss_bytes: int
    uss_bytes: int
    rss_bytes: int
    threads: int
    wakeups_per_minute: float
    cpu_ms_per_minute: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--seconds", type=float, default=60.0, metavar="N", help="length of the window (default: 60)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of every daemon")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Measures each kind of daemon, and prints the figures."""
    costs: dict[str, list[Cost]] = {}
    with tempfile.TemporaryDirectory() as name:
        for title, settings, workers in _kinds(Path(name)):
            print(f"{title}: {arguments.seconds:g} s …", file=sys.stderr)
            with _daemon(Path(name), [*settings, *arguments.set]) as pid:
                costs[title] = _cost(pid, arguments.seconds, workers)
    if arguments.json:
        print(json.dumps({title: [asdict(each) for each in rows] for title, rows in costs.items()}, indent=2))
    else:
        print("\n".join(_table(costs)))
    return 0


def _kinds(folder: Path) -> Iterator[tuple[str, list[str], bool]]:
    """Title, settings, and whether the daemon keeps workers."""
    yield "defaults", [], True
    yield "min_workers = 0", ["swarm.min_workers=0", "swarm.idle_timeout=1s"], False
    watched = folder / "watched"
    watched.mkdir()
    watch = [f"watch.inbox.path={watched}", "watch.inbox.format=markdown", "development.hot_reload=true"]
    yield "a watched folder and hot_reload", watch, True


@contextlib.contextmanager
def _daemon(folder: Path, settings: list[str]) -> Iterator[int]:
    places = [f"network.socket_dir={folder / 'run'}", f"storage.state_dir={folder / 'state'}"]
    flags = [word for setting in (*places, *settings) for word in ("--set", setting)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NDFD_")}
    (folder / "etc").mkdir(exist_ok=True)
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ndfd", "run", "--service", "--config-dir", str(folder / "etc"), *flags],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                log.seek(0)
                raise SystemExit(f"scripts/bench: the daemon did not start:\n{log.read()}")
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def _cost(daemon: int, seconds: float, workers: bool) -> list[Cost]:
    time.sleep(_SETTLE_S)
    until = time.monotonic() + _START_LIMIT_S
    while not workers and len(family(daemon)) > 2 and time.monotonic() < until:
        time.sleep(0.5)
    begun, before = time.monotonic(), readings(daemon)
    time.sleep(seconds)
    took_s, after = time.monotonic() - begun, readings(daemon)
    return [over(before[pid], now, took_s) for pid, now in after.items() if pid in before]


def over(before: Reading, after: Reading, seconds: float) -> Cost:
    """What it cost between the two."""
    return Cost(
        after.role,
        after.pss_bytes,
        after.uss_bytes,
        after.rss_bytes,
        after.threads,
        wakeups_per_minute=(after.wakeups - before.wakeups) * 60 / seconds,
        cpu_ms_per_minute=(after.cpu_ns - before.cpu_ns) / 1e6 * 60 / seconds,
    )


def readings(daemon: int) -> Mapping[int, Reading]:
    """Of the daemon and its processes, by their numbers."""
    return {pid: _reading(pid, role) for pid, role in family(daemon).items()}


def family(daemon: int) -> dict[int, str]:
    """The role of each process: the daemon's children are zygotes, and theirs are workers."""
    roles = {daemon: "daemon"}
    zygotes = _children(daemon)
    for number, zygote in enumerate(zygotes, 1):
        roles[zygote] = "zygote" if len(zygotes) == 1 else f"zygote {number}"
        roles.update({worker: f"worker {worker}" for worker in _children(zygote)})
    return roles


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sorted(int(child) for task in tasks for child in (task / "children").read_text().split())


def _reading(pid: int, role: str) -> Reading:
    memory = _kilobytes(Path(f"/proc/{pid}/smaps_rollup").read_text())
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    switches = [_SWITCHES.search((task / "status").read_text()) for task in tasks]
    return Reading(
        role,
        pss_bytes=memory["Pss"],
        uss_bytes=memory["Private_Clean"] + memory["Private_Dirty"],
        rss_bytes=memory["Rss"],
        threads=len(tasks),
        wakeups=sum(int(found[1]) for found in switches if found),
        # Nanoseconds on a CPU come first (Documentation/scheduler/sched-stats.rst).
        cpu_ns=sum(int((task / "schedstat").read_text().split()[0]) for task in tasks),
    )


def _kilobytes(text: str) -> dict[str, int]:
    found = re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)
    return {name: int(kilobytes) * 1024 for name, kilobytes in found}


def _table(costs: Mapping[str, list[Cost]]) -> Iterator[str]:
    for title, rows in costs.items():
        yield f"{title}"
        heads = "".join(
            f"{head:>12}" for head in ("Pss MB", "Uss MB", "Rss MB", "threads", "wakeups/min", "CPU ms/min")
        )
        yield f"  {'process':16}{heads}"
        together = Cost(
            "together",
            sum(each.pss_bytes for each in rows),
            sum(each.uss_bytes for each in rows),
            sum(each.rss_bytes for each in rows),
            sum(each.threads for each in rows),
            sum(each.wakeups_per_minute for each in rows),
            sum(each.cpu_ms_per_minute for each in rows),
        )
        for each in (*rows, together):
            sizes = "".join(f"{size / 1e6:12.1f}" for size in (each.pss_bytes, each.uss_bytes, each.rss_bytes))
            spent = f"{each.wakeups_per_minute:12.1f}{each.cpu_ms_per_minute:12.2f}"
            yield f"  {each.role:16}{sizes}{each.threads:12}{spent}"
        yield ""
