"""The seam between the pool's decisions and the world: processes, and time.

`Zygote` is the real spawner and the event loop the real clock; `ndfd.testing` has both without processes and waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol

from ndfd.errors import WorkerProtocolError
from ndfd.model.process_tuning import TuningState
from ndfd.model.status import EngineStatus
from ndfd.protocol.frames import FromWorker, Job


class End(NamedTuple):
    """How a worker's process ended."""

    #: Exit status, or minus the number of the signal; None when nobody knows.
    exit_code: int | None
    #: Its peak resident set; 0 when nobody knows.
    rss_max_bytes: int = 0
    #: The address space it might have.
    memory_bytes: int = 0


class WorkerEvents(Protocol):
    """Who is told what a worker does. Each call comes from the event loop, `ended` last and once."""

    def received(self, frame: FromWorker, descriptors: tuple[int, ...]) -> None:
        """A frame; whoever is told owns the descriptors."""

    def violated(self, error: WorkerProtocolError) -> None:
        """It sent what is no frame."""

    def ended(self, end: End) -> None:
        """Its process has ended, and all it sent before was told."""


class Worker(Protocol):
    """A worker process."""

    @property
    def pid(self) -> int:
        """Its number, for messages."""

    @property
    def tuning(self) -> tuple[TuningState, ...]:
        """What came of the knobs that it has of its own."""

    def send(self, job: Job, document_fd: int, *parts: int) -> None:
        """Sends a job with its document and its parts; OSError when the worker cannot take it."""

    def kill(self) -> None:
        """Ends it at once. Nothing more that it sent is told but its end."""

    def resident_bytes(self) -> int:
        """Its resident set; 0 when it has ended."""


class Spawner(Protocol):
    """Where workers come from."""

    async def start(self) -> EngineStatus:
        """Makes ready; fails with the errors of `ndfd.errors` when no worker could ever be spawned."""

    def spawn(self, worker: int, events: WorkerEvents) -> Coroutine[Any, Any, Worker]:
        """A new worker process; `WorkerStartFailed` when there is none to be had now."""

    async def close(self) -> None:
        """Ends everything that was started. No worker outlives it, and none can be spawned after it."""


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """It does not come any more."""


class Clock(Protocol):
    """Time, as the event loop has it."""

    def time(self) -> float:
        """Seconds of a clock that only goes forward."""

    def call_later(self, delay_s: float, callback: Callable[..., object], /, *args: object) -> Timer:
        """Calls after so many seconds."""
