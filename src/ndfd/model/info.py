"""What a program may want to know of a daemon before it sends it work."""

from __future__ import annotations

import msgspec

from ndfd.model.hardware import Hardware
from ndfd.model.status import EngineStatus


class Info(msgspec.Struct, frozen=True, omit_defaults=True):
    """The daemon's version, what it runs, where it runs, and what it can do."""

    #: Of the configuration that served the call.
    generation: int
    version: str
    #: As the daemon sees it: a service that may not reach device files sees no accelerator.
    hardware: Hardware
    #: None before the first workers.
    engine: EngineStatus | None = None
    #: What is not the same of every daemon: "jobs" (it keeps durable jobs), "sandbox" (its workers lack no measure of
    #: confinement), "fallback-fonts" (for Chinese, Japanese and Korean).
    features: tuple[str, ...] = ()
