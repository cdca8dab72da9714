"""What a pool says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from ndfd.model.status import EngineStatus, WorkerStatus


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The pool at one moment."""

    #: None before the start.
    engine: EngineStatus | None
    workers: tuple[WorkerStatus, ...]
    #: Conversions that wait for a worker.
    queued: int
    #: Whether a conversion asked for now would get a worker, which may still have to be started for it.
    available: bool
    #: Why no worker can be started, while that is so.
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """How much is going on in a pool at one moment: what costs nothing to know."""

    #: Workers that take a conversion, now or after the one they have.
    workers: int
    #: Conversions that have a worker.
    converting: int
    #: Conversions that wait for one.
    queued: int
    #: Why no worker can be started, while that is so.
    trouble: str | None
