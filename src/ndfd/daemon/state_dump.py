"""The state of a daemon in its log, on SIGUSR1: what an operator needs who finds one that hangs.

Names of documents are in it, as elsewhere in the log; nothing of what they hold, and no setting.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import logging
import os
import signal
import sys
import threading
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import msgspec

from ndfd import platform
from ndfd.model.job_counts import RunningJob
from ndfd.model.status import DaemonStatus

_log = logging.getLogger(__name__)
# Whoever asks for the state gets it, however little is logged otherwise.
_log.setLevel(logging.INFO)

#: Seconds in which an event loop that is well takes its turn.
_TURN_S = 2.0
#: Names of tasks that stand at one place; of more the number is told.
_NAMES_MAX = 50
#: Calls within calls that are told of one task.
_DEPTH_MAX = 32
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class DaemonState:
    """What the daemon's event loop knows."""

    status: DaemonStatus
    #: Open ones, by the name of the door.
    connections: Mapping[str, int] = field(default_factory=dict)
    jobs: tuple[RunningJob, ...] = ()


class StateDump:
    """Writes the state into the log when it is asked for, from a thread of its own: so also while the loop hangs.

    What hangs inside one call of C that does not let other threads run is beyond it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, state: Callable[[], DaemonState]) -> None:
        """`state` is called from the loop."""
        self._loop = loop
        self._state = state
        self._busy = threading.Lock()

    def listen(self, number: signal.Signals) -> None:
        """Writes it at each of these signals; one that comes before it is written is of no effect."""
        signal.signal(number, self._asked)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        # Not here: this may have interrupted a write to the log.
        if self._busy.acquire(blocking=False):
            try:
                threading.Thread(target=self._write, name="state dump", daemon=True).start()
            except RuntimeError:
                # No thread can be started, which the operator will find in the log.
                self._busy.release()
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(_log.error, "no thread can be started to tell the state")

    def _write(self) -> None:
        try:
            # First: they show what it is at in this moment.
            threads = list(_threads())
            state = self._ask()
            dump_state(state, threads, _tasks(self._loop))
        finally:
            self._busy.release()

    def _ask(self) -> DaemonState | None:
        answer: concurrent.futures.Future[DaemonState] = concurrent.futures.Future()

        def tell() -> None:
            try:
                answer.set_result(self._state())
            except Exception as error:  # noqa: BLE001 - it is raised below, where it is logged
                answer.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(tell)
            return answer.result(_TURN_S)
        except TimeoutError:
            _log.error("the event loop has not taken its turn for %g s: its thread's stack says where it is", _TURN_S)
        except Exception:  # noqa: BLE001 - the rest is told whatever is wrong with this
            _log.exception("the daemon cannot say how it is")
        return None


def dump_state(
    state: DaemonState | None,
    threads: list[dict[str, Any]] | None = None,
    tasks: list[dict[str, Any]] | None = None,
) -> None:
    """Logs the state, a record for each thing, all with the same number.

    `state` is None where the event loop does not answer. Threads and tasks are those of this moment, and of the loop
    that runs here, unless they are given.
    """
    threads = list(_threads()) if threads is None else threads
    tasks = _tasks(asyncio.get_running_loop()) if tasks is None else tasks
    number = next(_numbers)
    for event, fields in (
        ("state of the process", _process(len(threads), sum(each["tasks"] for each in tasks))),
        *_of_daemon(state),
        *(("state of tasks", each) for each in tasks),
        *(("state of a thread", each) for each in threads),
    ):
        _log.info(event, extra={"dump": number, **fields})


def _process(threads: int, tasks: int) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "rss_bytes": platform.resident_bytes(os.getpid()),
        "descriptors": platform.process.open_descriptors(),
        "descriptors_max": platform.process.limits().open_files,
        "threads": threads,
        "tasks": tasks,
    }


def _of_daemon(state: DaemonState | None) -> Iterator[tuple[str, dict[str, Any]]]:
    if state is None:
        return
    status = state.status
    yield (
        "state of the daemon",
        {
            "version": status.version,
            "uptime_s": round(status.uptime_s, 1),
            "generation": status.generation,
            "queued": status.queued,
            "succeeded": status.succeeded,
            "failed": status.failed,
            "pages": status.pages,
            **{f"connections_{door}": count for door, count in state.connections.items()},
            "warnings": status.warnings,
        },
    )
    if status.jobs is not None:
        yield "state of the jobs", msgspec.structs.asdict(status.jobs)
    for pool in status.pools:
        fields = msgspec.structs.asdict(pool)
        yield "state of a pool", {"pool": fields.pop("name"), **fields}
    for worker in status.workers:
        fields = msgspec.structs.asdict(worker)
        del fields["tuning"]
        yield "state of a worker", {"worker": fields.pop("id"), **_rounded(fields)}
    for job in state.jobs:
        yield "state of a job", _rounded({"job": job.id, "pool": job.pool, "running_s": job.running_s})


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 1) if isinstance(value, float) else value for name, value in fields.items()}


def _tasks(loop: asyncio.AbstractEventLoop) -> list[dict[str, Any]]:
    """Those that stand at the same place together, most first: a daemon has one for each connection."""
    places: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    # From another thread, the set may change under it too often to be copied.
    with contextlib.suppress(RuntimeError):
        for task in asyncio.all_tasks(loop):
            places[_standing(task)].append(task.get_name())
    return [
        {
            "tasks": len(names),
            "names": sorted(names)[:_NAMES_MAX],
            "where": place[-1] if place else "",
            "stack": "\n".join(place),
        }
        for place, names in sorted(places.items(), key=lambda each: (-len(each[1]), each[0]))
    ]


def _standing(task: asyncio.Task[Any]) -> tuple[str, ...]:
    """Where it waits, the outermost call first. `Task.get_stack` knows only that one."""
    place: list[str] = []
    awaited: Any = task.get_coro()
    while awaited is not None and len(place) < _DEPTH_MAX:
        frame: FrameType | None = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is None:
            break
        place.append(_place(frame.f_code, frame.f_lineno))
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return tuple(place)


def _place(code: CodeType, line: int) -> str:
    return f"{code.co_filename}:{line} in {code.co_qualname}"


def _threads() -> Iterator[dict[str, Any]]:
    names = {thread.ident: (thread.name, thread.native_id) for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():  # noqa: SLF001 - documented, whatever its name
        if ident == threading.get_ident():
            continue
        name, native_id = names.get(ident, ("not Python's", None))
        stack: list[str] = []
        for each, line in traceback.walk_stack(frame):
            if each.f_code is StateDump._asked.__code__:  # noqa: SLF001 - of this file
                # What the signal has interrupted is below it.
                stack.clear()
            else:
                stack.append(_place(each.f_code, line))
        yield {"thread_name": name, "tid": native_id, "stack": "\n".join(reversed(stack))}
