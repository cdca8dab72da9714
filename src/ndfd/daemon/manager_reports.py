"""What the service manager hears of a daemon, from its start to its end; nothing is done for one that nobody manages.

`systemctl status` shows the line of text. An idle daemon wakes for none of this but the watchdog.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ndfd.errors import NdfdError
from ndfd.model.printable import printable
from ndfd.platform import ServiceManager

_log = logging.getLogger(__name__)

#: Seconds that a change waits to be told, with those that come meanwhile.
_GATHER_S = 3.0
#: Seconds between two lines of a daemon that drains: its time runs out.
_DRAINING_EVERY_S = 2.0
#: Seconds that a step of the start, which has told that it goes on, may be silent.
_STEP_S = 120.0
#: So often at most it tells that.
_STEP_EVERY_S = 10.0
#: Seconds that workers get at a time to start, and together: what they wait for has limits of its own, which are less.
_WORKERS_S = 30.0
_WORKERS_EVERY_S = 10.0
_WORKERS_MAX_S = 300.0
#: Seconds for the rest of a stop, when nothing runs any more: workers end and the store is closed.
_REST_S = 30.0
#: Seconds that the end of a start waits for the manager to have heard of it.
_BARRIER_S = 2.0
#: Of why a reload was refused: the rest of the line tells what goes on all the same.
_REFUSAL_MAX_CHARACTERS = 300
#: So often within its limit the watchdog is told; one may then be late, and one lost.
_TICKS = 3


@dataclass(frozen=True, slots=True)
class Figures:
    """What a line tells of a daemon that serves."""

    #: Workers that are ready.
    workers: int
    #: Conversions that have a worker, and that wait for one.
    converting: int
    queued: int
    #: Conversions that have ended since the start.
    succeeded: int
    failed: int
    #: Durable jobs that have not ended.
    jobs: int
    #: What keeps it from its work; empty when nothing does.
    warnings: tuple[str, ...] = ()


class ManagerReports:
    """`starting`, then `open`, `ready`, `reloading` …, `stopping`, and `stopped` or `failed`."""

    def __init__(self, manager: ServiceManager) -> None:
        self.manager = manager
        self._figures: Callable[[], Figures] | None = None
        self._stuck: Callable[[], str | None] = lambda: None
        #: Why it is stuck, as it was seen last; and whether it was seen twice, so that the watchdog is let bite.
        self._reason: str | None = None
        self._silent = False
        #: Of the last reload.
        self._refusal: str | None = None
        self._serving = False
        #: When the grace ends, by the loop's clock; None before the stop.
        self._ends_at: float | None = None
        self._step = ""
        self._step_told_at = 0.0
        self._text = ""
        self._timers: dict[str, asyncio.TimerHandle] = {}

    # Before there is an event loop

    def starting(self, step: str) -> None:
        """What the start does now. Called again and again while that goes on: the manager's patience grows with it."""
        now = time.monotonic()
        if step == self._step and now - self._step_told_at < _STEP_EVERY_S:
            return
        self._step, self._step_told_at = step, now
        self.manager.status(f"Starting: {step}")
        self.manager.extend_timeout(_STEP_S)

    def failed(self, error: Exception) -> None:
        """The daemon ends because of this."""
        hint = f"; {error.hint}" if isinstance(error, NdfdError) and error.hint else ""
        self.manager.failed(_number_of(error), f"Failed: {error}{hint}")
        self.manager.barrier(_BARRIER_S)

    def stopped(self) -> None:
        """Everything has ended."""
        self.manager.status("Stopped")
        self.manager.barrier(_BARRIER_S)

    # Within the event loop

    def open(self, figures: Callable[[], Figures], stuck: Callable[[], str | None]) -> None:
        """From now on its lines have these `figures`, and the watchdog is told while nothing is `stuck`."""
        self._figures, self._stuck = figures, stuck
        if self.manager.watchdog_s is not None:
            self._tick(self.manager.watchdog_s / _TICKS)

    @contextlib.contextmanager
    def starting_workers(self) -> Iterator[None]:
        """For the length of the block workers start."""
        self.starting("the workers")
        with self._extended():
            yield

    def ready(self) -> None:
        """It serves."""
        self._serving = True
        self._text = self._line()
        self.manager.ready(self._text)
        if self.manager.watchdog_s is not None and not self._silent:
            # systemd was patient with its watchdog, too, when it was asked to be: from now on it need not be.
            self.manager.watchdog()

    def changed(self) -> None:
        """What `figures` gives may have changed."""
        if self.manager.present and self._serving and "changed" not in self._timers:
            self._later("changed", _GATHER_S, self._tell)

    @contextlib.contextmanager
    def reloading(self) -> Iterator[None]:
        """A reload, which an error that comes out of the block has refused."""
        self.manager.reloading()
        try:
            with self._extended():
                yield
        except Exception as error:
            self._refusal = printable(str(error), _REFUSAL_MAX_CHARACTERS)
            raise
        else:
            self._refusal = None
        finally:
            if self._ends_at is None:
                self.ready()

    def stopping(self, grace_s: float) -> None:
        """It takes nothing more, and gives what runs so many seconds; a second call only changes that time."""
        loop = asyncio.get_running_loop()
        first, self._ends_at = self._ends_at is None, loop.time() + grace_s
        self._serving = False
        self._text = self._line()
        if first:
            self.manager.stopping(self._text)
        else:
            self.manager.status(self._text)
        self.manager.extend_timeout(grace_s + _REST_S)
        if self.manager.present:
            self._later("draining", _DRAINING_EVERY_S, self._drain)

    def close(self) -> None:
        """Ends its timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    # Its timers

    def _tick(self, every_s: float) -> None:
        self._later("watchdog", every_s, self._tick, every_s)
        reason = None if self._ends_at is not None else self._stuck()
        # Seen once it may be a loop that was held up itself, and has not come yet to what is due.
        silent = reason is not None and self._reason is not None
        if silent and not self._silent:
            _log.error("stuck: the service manager's watchdog is left to end it", extra={"reason": reason})
        elif self._silent and not silent:
            _log.warning("stuck no more")
        self._reason, self._silent = reason, silent
        if not silent:
            self.manager.watchdog()
        if self._serving:
            self._text = ""
            self._tell()

    def _tell(self) -> None:
        self._timers.pop("changed", None)
        if self._serving and (line := self._line()) != self._text:
            self._text = line
            self.manager.status(line)

    def _drain(self) -> None:
        assert self._ends_at is not None
        left_s = self._ends_at - asyncio.get_running_loop().time()
        self.manager.status(self._line())
        if left_s > 0:
            self.manager.extend_timeout(left_s + _REST_S)
            self._later("draining", _DRAINING_EVERY_S, self._drain)

    @contextlib.contextmanager
    def _extended(self) -> Iterator[None]:
        """For what ends by itself: the manager is patient, but not for ever."""
        if not self.manager.present:
            yield
            return
        loop = asyncio.get_running_loop()
        end = loop.time() + _WORKERS_MAX_S

        def extend() -> None:
            self.manager.extend_timeout(_WORKERS_S)
            if loop.time() < end:
                self._later("extend", _WORKERS_EVERY_S, extend)

        extend()
        try:
            yield
        finally:
            if (timer := self._timers.pop("extend", None)) is not None:
                timer.cancel()

    def _later(self, name: str, delay_s: float, call: Callable[..., None], *arguments: object) -> None:
        if (former := self._timers.pop(name, None)) is not None:
            former.cancel()
        self._timers[name] = asyncio.get_running_loop().call_later(delay_s, call, *arguments)

    # Its lines

    def _line(self) -> str:
        assert self._figures is not None
        figures = self._figures()
        if self._ends_at is not None:
            left_s = max(0.0, self._ends_at - asyncio.get_running_loop().time())
            under_way = _count(figures.converting + figures.queued, "conversion")
            return f"Draining: {under_way} under way, {left_s:.0f} s left"
        if self._silent:
            return f"Stuck: {self._reason}"
        line = (
            f"Serving: {_count(figures.workers, 'worker')}, {figures.converting:,} converting, "
            f"{figures.queued:,} queued; {_count(figures.succeeded, 'document')} done, {figures.failed:,} failed"
        )
        if figures.jobs:
            line += f"; {_count(figures.jobs, 'durable job')} to do"
        for warning in figures.warnings:
            line += f"; {warning}"
        if self._refusal is not None:
            line = f"Reload refused: {self._refusal}, the old configuration serves on. {line}"
        return line


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _number_of(error: BaseException) -> int:
    """errno of the system's error behind it; 0 when there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno:
            return cause.errno
        cause = cause.__cause__ or cause.__context__
    return 0
