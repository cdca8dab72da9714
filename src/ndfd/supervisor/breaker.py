"""The circuit of one pool, with its timers: when it lets workers be started again, its owner is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from ndfd.errors import SwarmCircuitOpen
from ndfd.supervisor.circuit import PROBATION_S, Circuit, State
from ndfd.supervisor.pooled_worker import PooledWorker
from ndfd.supervisor.spawner import Clock, Timer

_log = structlog.get_logger(__name__)


class Breaker:
    """`resume` is called when more workers may be started than before."""

    def __init__(self, clock: Clock, resume: Callable[[], None]) -> None:
        self._clock = clock
        self._resume = resume
        self._circuit = Circuit()
        self._retry: Timer | None = None
        self._probation: Timer | None = None
        self._stopped = False

    @property
    def is_closed(self) -> bool:
        """Whether conversions may wait for workers that are still to come."""
        return self._circuit.state is State.CLOSED

    def failed(self, reason: str) -> None:
        """A worker could not be started, or ended without having seen a document."""
        was_closed = self.is_closed
        pause_s = self._circuit.failed(reason, self._clock.time())
        if pause_s is None or self._stopped:
            return
        self._end_probation()
        self._retry = self._clock.call_later(pause_s, self._try_again)
        if was_closed and not self.is_closed:
            _log.error("the circuit opens: workers keep ending without a document being the cause", reason=reason)

    def started(self, worker: PooledWorker) -> None:
        """A worker is there; on trial, it has proved itself when it still is after a while."""
        if not self.is_closed:
            self._end_probation()
            self._probation = self._clock.call_later(PROBATION_S, self._lived, worker)

    def proved(self, worker: PooledWorker) -> None:
        """It has had a document."""
        if self._circuit.proved(worker.started_at):
            self._end_probation()
            _log.info("the circuit closes: workers work again", worker=worker.number)
            self._resume()

    def startable(self, missing: int, workers: Iterable[PooledWorker]) -> int:
        """How many of the `missing` may be started now, beside the `workers` that there are; none after the stop."""
        on_trial = sum(self._circuit.is_new(worker.started_at) for worker in workers)
        return 0 if self._stopped else self._circuit.startable(missing, on_trial)

    def says(self) -> str | None:
        """As `Circuit.says`."""
        return self._circuit.says(self._clock.time())

    def error(self) -> SwarmCircuitOpen:
        """For a conversion that would wait for nobody."""
        again = self._circuit.again(self._clock.time())
        return SwarmCircuitOpen(f"there is no worker: {self._circuit.reason}; the next one {again}")

    def stop(self) -> None:
        """No timer runs after it."""
        self._stopped = True
        self._end_probation()
        if self._retry is not None:
            self._retry.cancel()

    def _try_again(self) -> None:
        self._circuit.retry()
        self._resume()

    def _lived(self, worker: PooledWorker) -> None:
        self._probation = None
        if worker.is_ready:
            self.proved(worker)

    def _end_probation(self) -> None:
        if self._probation is not None:
            self._probation.cancel()
            self._probation = None
