"""What follows the end of a worker: its replacement, the caller's answer at a deadline, the place a caller gives up.

All as callers see it. A small conversion at rest is the measure: how much longer it takes when its worker has just been
killed, or when the only worker's caller has just gone, is the time until a worker is ready again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ndfd import platform
from ndfd.client import Client
from ndfd.errors import NdfdError
from ndfd.model.conversion import ConvertOptions
from ndfd.model.status import WorkerState
from ndfd.protocol.frames import FromWorker
from ndfd.supervisor import ZygoteOptions
from ndfd.supervisor.spawner import End
from ndfd.supervisor.zygote_process import ZygoteProcess
from tests.bench.daemon import private_daemon
from tests.bench.report import progress
from tests.bench.swarm.child import Child
from tests.bench.swarm.cost import Load
from tests.bench.swarm.figures import Spread

#: Long enough for the document to be begun, and far too short for its end.
_DEADLINE_S = 0.15
#: Within which a killed worker must have been replaced for a reading to be one.
_LIMIT_S = 30.0


def measure(small: Path, long: Path, workers: int, rounds: int) -> dict[str, Any]:
    """The figures, in milliseconds."""
    with private_daemon(["--set", "swarm.workers=1"]) as socket:
        figures = _one_worker(socket, small, long, rounds)
    with private_daemon(["--set", f"swarm.workers={workers}"]) as socket:
        figures["overshoot_idle_ms"] = _spread(_overshoots(socket, long, rounds, "at rest"))
        with _loaded(socket, small, workers):
            figures["overshoot_loaded_ms"] = _spread(_overshoots(socket, long, rounds, "under load"))
    figures["spawn_ms"] = _spread(asyncio.run(_spawns(rounds)))
    figures["confine_ms"] = _spread([_confinement() for _ in range(rounds)])
    return figures


def _one_worker(socket: Path, small: Path, long: Path, rounds: int) -> dict[str, Any]:
    rest, listed, replaced, freed = [], [], [], []
    with Client.connect(socket) as client, Client.connect(socket) as watcher:
        for number in range(rounds):
            rest += [_conversion(client, small) for _ in range(3)]
            os.kill(_worker(watcher), signal.SIGKILL)
            replaced.append(_conversion(client, small))
            listed.append(_until_listed(socket, watcher, long))
            with _converting(socket, long) as caller:
                begun = time.perf_counter()
                caller.close()
                _conversion(client, small)
                freed.append(1000 * (time.perf_counter() - begun))
            progress(number + 1, rounds, "ends of a worker")
    quiet = statistics.median(rest)
    return {
        "small_at_rest_ms": _spread(rest),
        "replaced_listed_ms": _spread(listed),
        "replaced_ready_ms": _spread([each - quiet for each in replaced]),
        "cancel_to_free_ms": _spread([each - quiet for each in freed]),
    }


def _until_listed(socket: Path, watcher: Client, long: Path) -> float:
    """From the kill of the busy worker until another one is listed that can take a job, or has taken one."""
    with _converting(socket, long):
        killed = _worker(watcher)
        begun = time.perf_counter()
        os.kill(killed, signal.SIGKILL)
        while True:
            workers = watcher.status().workers
            took_s = time.perf_counter() - begun
            if any(each.pid != killed and each.state in (WorkerState.IDLE, WorkerState.BUSY) for each in workers):
                return 1000 * took_s
            if took_s > _LIMIT_S:
                raise SystemExit(f"scripts/bench: a killed worker was not replaced within {_LIMIT_S:g} s")
            # Asking takes CPU from what is asked about.
            time.sleep(0.001)


def _overshoots(socket: Path, long: Path, rounds: int, how: str) -> list[float]:
    """By how much an error came after its deadline, as its caller sees it."""
    late = []
    with Client.connect(socket) as client:
        for number in range(rounds):
            begun = time.perf_counter()
            with contextlib.suppress(NdfdError):
                client.convert(long, ConvertOptions(deadline_s=_DEADLINE_S)).close()
                raise SystemExit(f"scripts/bench: {long} is converted within {_DEADLINE_S} s: more --pages are needed")
            late.append(1000 * (time.perf_counter() - begun - _DEADLINE_S))
            progress(number + 1, rounds, f"deadlines {how}")
    return late


def _conversion(client: Client, path: Path) -> float:
    begun = time.perf_counter()
    client.convert(path).close()
    return 1000 * (time.perf_counter() - begun)


def _worker(client: Client) -> int:
    """The process of the only worker, once it is one."""
    while True:
        for worker in client.status().workers:
            if worker.state in (WorkerState.IDLE, WorkerState.BUSY):
                return worker.pid
        time.sleep(0.001)


@contextlib.contextmanager
def _converting(socket: Path, path: Path) -> Iterator[Client]:
    """A caller whose document has one page done; it is gone after the block."""
    begun = threading.Event()
    with ThreadPoolExecutor(1) as thread, Client.connect(socket) as caller:
        call: Future[Any] = thread.submit(caller.convert, path, None, lambda page: begun.set())
        call.add_done_callback(lambda _: begun.set())
        begun.wait()
        try:
            yield caller
        finally:
            caller.close()
            call.exception()


@contextlib.contextmanager
def _loaded(socket: Path, small: Path, lanes: int) -> Iterator[None]:
    """Every worker always has a conversion, from callers that begin the next one at once."""
    with Child("convert_through", str(socket), str(lanes)) as child:
        child.tell(lanes=Load("", (small,) * 1_000_000).lanes(1) * lanes)
        yield


class _Nobody:
    """Who hears of a worker here."""

    def received(self, frame: FromWorker, descriptors: tuple[int, ...]) -> None:
        for fd in descriptors:
            os.close(fd)

    def violated(self, error: NdfdError) -> None:
        pass

    def ended(self, end: End) -> None:
        pass


async def _spawns(rounds: int) -> list[float]:
    """A worker asked of a zygote, until it is forked and its channel and pidfd are here."""
    zygote = ZygoteProcess(ZygoteOptions(memory_bytes=4 * 10**9))
    await zygote.ready()
    took = []
    try:
        for number in range(rounds):
            begun = time.perf_counter()
            worker = await zygote.spawn(number, _Nobody())
            took.append(1000 * (time.perf_counter() - begun))
            worker.kill()
    finally:
        await zygote.close()
    return took


def _confinement() -> float:
    """All measures of a worker's confinement, in a child that does nothing else."""
    ours, theirs = platform.channel_pair(4096, 0)
    with contextlib.closing(ours):
        with contextlib.closing(theirs):
            pid = os.fork()
            if pid == 0:
                _confine(theirs)
        message = ours.receive()
        os.waitpid(pid, 0)
    if message is None:
        raise SystemExit("scripts/bench: a process that confines itself as a worker does ended by it")
    return float(message.data)


def _confine(channel: platform.Channel) -> None:
    try:
        channel.move_to(platform.WORKER_CHANNEL_FD)
        begun = time.perf_counter()
        platform.confine_worker(platform.WorkerLimits(4 * 10**9))
        channel.send(str(1000 * (time.perf_counter() - begun)).encode())
    finally:
        os._exit(0)


def _spread(readings: list[float]) -> dict[str, Any]:
    return Spread.of(readings).as_json()


_NAMES = {
    "small_at_rest_ms": "a small conversion at rest",
    "replaced_listed_ms": "killed worker -> another listed",
    "replaced_ready_ms": "killed worker -> next conversion on",
    "cancel_to_free_ms": "caller gone -> next conversion on",
    "overshoot_idle_ms": "deadline -> error, at rest",
    "overshoot_loaded_ms": "deadline -> error, all workers busy",
    "spawn_ms": "a worker forked",
    "confine_ms": "a worker confines itself",
}


def lines(figures: dict[str, Any]) -> list[str]:
    """The same for people."""
    return [
        "ends",
        *(
            f"  {name:<37}median {figures[key]['median']:7.1f} ms   p95 {figures[key]['p95']:7.1f} ms   "
            f"max {figures[key]['most']:7.1f} ms"
            for key, name in _NAMES.items()
        ),
    ]
