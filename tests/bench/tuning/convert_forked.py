"""A zygote as the daemon's, without the confinement: each turn is converted by fresh workers, which are forks of it.

So the two sides of a comparison begin with the same memory, and a worker sets its knobs as the daemon's does.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import mmap
import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ndfd import platform
from ndfd.document import convert
from ndfd.model.conversion import ConvertOptions
from ndfd.model.tuning import FINE
from ndfd.worker.zygote import prepare
from tests.bench.swarm.child import Answer, answer

_HUGE_BYTES = 2 * 1024**2
# include/uapi/asm-generic/mman-common.h, of which Python 3.11 has no names.
_MAP_HUGETLB = 0x40000
_MADV_COLLAPSE = 25


class Zygote:
    """Answers one question after the other."""

    def __init__(self) -> None:
        prepare(())
        gc.collect()
        gc.freeze()
        gc.disable()

    def turn(self, lanes: list[dict[str, Any]], buffer: str) -> Answer:
        """Seconds of wall and CPU time. Each lane is a worker with its `paths` and its `knobs`."""
        with contextlib.ExitStack() as stack:
            workers = [self._fork(stack, lane, buffer) for lane in lanes]
            try:
                return _raced([ours for _, ours in workers])
            finally:
                for pid, ours in workers:
                    ours.close()
                    os.waitpid(pid, 0)

    def costs(self, paths: list[str]) -> Answer:
        """CPU seconds of each document, and of those that cannot be converted None."""
        found: list[float | None] = []
        for path in paths:
            before_s = time.process_time()
            try:
                _convert(path, "mapped")
            except Exception:  # noqa: BLE001 - what cannot be converted is not part of the work, whatever it raises
                found.append(None)
            else:
                found.append(time.process_time() - before_s)
        return {"cpu_s": found}

    def _fork(self, stack: contextlib.ExitStack, lane: dict[str, Any], buffer: str) -> tuple[int, socket.socket]:
        ours, theirs = map(stack.enter_context, socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        pid = os.fork()
        if pid:
            theirs.close()
            return pid, ours
        ours.close()
        try:
            self._work(theirs, lane, buffer)
        except BaseException as error:  # noqa: BLE001 - the last frame of this process
            theirs.send(json.dumps({"failed": str(error) or type(error).__name__}).encode())
        finally:
            os._exit(0)

    def _work(self, channel: socket.socket, lane: dict[str, Any], buffer: str) -> None:
        for knob, value in lane["knobs"]:
            if knob == "nice":
                if not platform.add_nice(int(value)):
                    raise PermissionError("this user may not raise a priority")
                continue
            state = platform.process.apply(knob, value, "worker")
            if state.outcome not in FINE:
                raise OSError(f"{state.outcome}: {state.reason}")
        gc.enable()
        # A worker that has just begun pays for its first documents what it never pays for the hundreds after them: it
        # copies pages that it shares with its zygote, and has its heap made.
        for path in lane["paths"]:
            _convert(path, buffer)
        channel.send(b"{}")
        if not channel.recv(16):
            # Another worker of the turn has failed.
            return
        before_s = _cpu_s()
        for path in lane["paths"]:
            _convert(path, buffer)
        channel.send(json.dumps({"cpu_s": _cpu_s() - before_s}).encode())


def _convert(path: str, buffer: str) -> None:
    with _held(path, buffer) as data:
        convert(data, ConvertOptions(name=Path(path).name))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _raced(workers: list[socket.socket]) -> Answer:
    """All of them begin when the last one is ready."""
    begun = 0.0
    for start in (False, True):
        if start:
            begun = time.perf_counter()
            for worker in workers:
                worker.send(b"go")
        said = [_hear(worker) for worker in workers]
        if failed := [each["failed"] for each in said if "failed" in each]:
            return {"failed": failed[0]}
    return {"wall_s": time.perf_counter() - begun, "cpu_s": sum(each["cpu_s"] for each in said)}


def _hear(channel: socket.socket) -> dict[str, Any]:
    heard: dict[str, Any] = json.loads(channel.recv(65536) or b'{"failed": "the worker died"}')
    return heard


@contextlib.contextmanager
def _held(path: str, buffer: str) -> Iterator[mmap.mmap | memoryview]:
    """The document: "mapped", as workers have it; or a copy in huge pages of one kind or the other."""
    fd = os.open(path, os.O_RDONLY)
    try:
        if buffer == "mapped":
            with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as mapped:
                yield mapped
            return
        size = os.fstat(fd).st_size
        room = -(-size // _HUGE_BYTES) * _HUGE_BYTES
        with _huge(room, buffer) as copy, memoryview(copy) as view, view[:size] as document:
            os.preadv(fd, [document], 0)
            if buffer == "collapse":
                # Not where the kernel has no page of that size to give.
                with contextlib.suppress(OSError):
                    copy.madvise(_MADV_COLLAPSE)
            yield document
    finally:
        os.close(fd)


def _huge(size: int, buffer: str) -> mmap.mmap:
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    if buffer == "hugetlb":
        try:
            return mmap.mmap(-1, size, flags=flags | _MAP_HUGETLB)
        except OSError as error:
            if error.errno != errno.ENOMEM:
                raise
    copy = mmap.mmap(-1, size, flags=flags)
    if buffer != "collapse":
        copy.madvise(mmap.MADV_HUGEPAGE)
    return copy


if __name__ == "__main__":
    zygote = Zygote()
    answer(lambda what, **question: getattr(zygote, what)(**question))
