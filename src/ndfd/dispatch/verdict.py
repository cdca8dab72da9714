"""What an error makes of the job whose run it ended: decided by the error's type, never by its text."""

from __future__ import annotations

from ndfd.errors import (
    Busy,
    DocumentKillsWorkers,
    NdfdError,
    PoolUnknown,
    SandboxViolation,
    ShuttingDown,
    WorkerStartFailed,
)
from ndfd.model.job_states import JobEvent
from ndfd.model.jobs import JobFault
from ndfd.store import Ending

#: The document is the cause, and it may be an attack: no run of it begins again by itself.
_HOSTILE = (DocumentKillsWorkers, SandboxViolation)
#: No worker has seen the document: the run is none. However long that lasts, no job fails of it.
NEVER_RAN = (Busy, ShuttingDown, PoolUnknown, WorkerStartFailed)
#: That no worker comes at all is the pool's trouble, and it is the pool that rests; a job of a pool that stops goes to
#: the one that follows.
_AT_ONCE = (ShuttingDown, WorkerStartFailed)

_LONGEST_DELAY_S = 3600.0


def verdict(
    error: NdfdError, attempts: int, max_attempts: int, retry_delay_s: float, now: float, spread: float
) -> Ending:
    """How the run ends that was the `attempts`th of its job.

    `spread` is anything from 0 to 1: it moves the next run, so that jobs that failed together do not come back
    together. `now` is the store's time.
    """
    fault = JobFault.of(error)
    if isinstance(error, _HOSTILE):
        return Ending(JobEvent.QUARANTINED, fault)
    if isinstance(error, NEVER_RAN):
        not_before = None if isinstance(error, _AT_ONCE) else now + delay_s(1, retry_delay_s, spread)
        return Ending(JobEvent.POSTPONED, fault, not_before, counts=False)
    if error.retryable and attempts < max_attempts:
        return Ending(JobEvent.POSTPONED, fault, now + delay_s(attempts, retry_delay_s, spread))
    return Ending(JobEvent.FAILED, fault)


def delay_s(attempts: int, first_s: float, spread: float) -> float:
    """Seconds until the next run after so many: doubling, and up to half as much again."""
    # No more doublings than a float has room for.
    return min(first_s * 2.0 ** min(attempts - 1, 60), _LONGEST_DELAY_S) * (1 + spread / 2)
