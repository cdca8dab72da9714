"""What one configuration says of jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ndfd.admission import JobLimits
from ndfd.dispatch.hooks import Hook
from ndfd.model.pools import DEFAULT_POOL
from ndfd.store import Keep


@dataclass(frozen=True, slots=True)
class Policy:
    """Holds from `JobService.reconfigure` on."""

    #: Of each pool that there is, the workers at most.
    workers: Mapping[str, int]
    admission: JobLimits
    #: Of one user, in all pools together; None for as many as there are places.
    running_per_user_max: int | None = None
    #: Runs of a job after which a fault that trying again may mend is final.
    max_attempts: int = 3
    #: Until the second run; doubles with each further one.
    retry_delay_s: float = 5.0
    #: As for conversions that nobody stores.
    default_deadline_s: float = 300.0
    max_deadline_s: float = 3600.0
    #: What is kept of finished jobs.
    keep: Keep = field(default_factory=Keep)
    #: By name, who may be told of the ends of the jobs that are submitted from now on.
    hooks: Mapping[str, Hook] = field(default_factory=dict)

    def deadline_s(self, asked_s: float | None) -> float:
        """Seconds that a run gets."""
        return min(asked_s or self.default_deadline_s, self.max_deadline_s)


def pool_name(pool: str | None) -> str:
    """Of the pool that a job asks for."""
    return DEFAULT_POOL if pool is None else pool
