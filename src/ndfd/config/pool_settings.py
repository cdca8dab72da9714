"""The keys of a pool of workers, and the kinds and defaults that it shares with [swarm] itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, model_validator

from ndfd.config import kinds
from ndfd.config.group import Group, key, rule
from ndfd.config.pool_kinds import Member, RoleName
from ndfd.model.configuration import Effect
from ndfd.model.pools import Priority, Role

Workers = Annotated[int | Literal["auto"], kinds.Number(1, 1024, words=("auto",))]
MinWorkers = Annotated[int | Literal["all"], kinds.Number(0, 1024, words=("all",))]
WorkerMemory = Annotated[int, kinds.Size(256 * 1000**2)]
Cpus = Annotated[frozenset[int] | Literal["all"], kinds.Cpus()]
PoolPriority = Annotated[Priority, Member(Priority)]
PoolAffinity = Annotated[Literal["auto", "off", "pool", "worker"], kinds.Choice(("auto", "off", "pool", "worker"))]
PoolScheduling = Annotated[
    Literal["auto", "normal", "batch", "idle", "fifo", "rr"],
    kinds.Choice(("auto", "normal", "batch", "idle", "fifo", "rr")),
]
PoolIoPriority = Annotated[
    Literal["auto", "high", "normal", "low", "idle"], kinds.Choice(("auto", "high", "normal", "low", "idle"))
]
IdleTimeout = Annotated[float, kinds.Duration(0.1)]

WORKER_MEMORY_BYTES = 4 * 1000**3
#: Starting a worker takes milliseconds, but memory that others could use is lent to it for so long.
IDLE_TIMEOUT_S = 60.0


class PoolSettings(Group):
    """A pool of workers for callers who ask for it by this name; what is left out is as in [swarm]. In the name of a
    variable, _ stands for each - of the pool's."""

    role: Annotated[Role, RoleName(Role)] = key(
        Role.EXTRACTOR, "What the workers do: an extractor makes structured text of documents.", Effect.NEW_WORKERS
    )
    min: MinWorkers = key(
        "all",
        'Workers that are kept when there is nothing to do: "all" of max, or 0 for none.',
        fallback="swarm.min_workers",
    )
    max: Workers = key(
        "auto",
        'Workers at most. "auto" is one for each CPU that they may use, or as many as fit into what other pools leave '
        "of [runtime] max_memory.",
        fallback="swarm.workers",
    )
    memory: WorkerMemory = key(
        WORKER_MEMORY_BYTES, "Address space of one worker.", Effect.NEW_WORKERS, fallback="swarm.worker_memory"
    )
    cpus: Cpus = key("all", "CPUs that the workers may run on.", Effect.NEW_WORKERS, fallback="swarm.cpus")
    priority: PoolPriority = key(
        Priority.NORMAL,
        "How the workers stand against others when CPUs are short.",
        Effect.NEW_WORKERS,
        fallback="swarm.priority",
    )
    affinity: PoolAffinity = key(
        "auto", "How the workers are bound to CPUs.", Effect.NEW_WORKERS, fallback="swarm.affinity"
    )
    scheduling: PoolScheduling = key(
        "auto", "The kernel's scheduling policy for the workers.", Effect.NEW_WORKERS, fallback="swarm.scheduling"
    )
    io_priority: PoolIoPriority = key(
        "auto", "How the workers stand against others at the disk.", Effect.NEW_WORKERS, fallback="swarm.io_priority"
    )
    idle_timeout: IdleTimeout = key(
        IDLE_TIMEOUT_S, "Time without work after which a worker above min ends.", fallback="swarm.idle_timeout"
    )

    @model_validator(mode="after")
    def _min_within_max(self) -> PoolSettings:
        check_bounds(self, "min", "max")
        return self


def check_bounds(group: BaseModel, minimum: str, maximum: str) -> None:
    """Breaks a rule unless there may be at least as many workers as there must be, as far as both are numbers."""
    least, most = getattr(group, minimum), getattr(group, maximum)
    if least != "all" and most != "auto" and least > most:
        raise rule(f"{minimum} ({least}) is above {maximum} ({most})", minimum, maximum)
