"""What the daemon says of its jobs in numbers."""

from __future__ import annotations

import msgspec


class JobCounts(msgspec.Struct, frozen=True, omit_defaults=True):
    """The jobs of a daemon at one moment."""

    #: Those that wait for a run, and those that are leased to one.
    queued: int
    running: int
    #: Ended since the daemon's start.
    succeeded: int
    failed: int
    quarantined: int
    cancelled: int
    #: Submissions answered since the start: with a new job, and with one that was there before.
    accepted: int
    reused: int
    #: Submissions refused since the start for a quota or a full disk.
    refused: int
    #: Runs since the start that were not the last of their job, because trying again may mend what went wrong.
    postponed: int
    #: Put back in the queue at the start, because the daemon had ended while they ran.
    recovered: int
    #: Seconds that the oldest one has waited of those that are the next of their users; None when none waits.
    oldest_queued_s: float | None = None
    #: Results that are done and not on the disk yet, and their bytes.
    results_held: int = 0
    results_held_bytes: int = 0


class RunningJob(msgspec.Struct, frozen=True):
    """A job that is leased to a run of this daemon."""

    id: str
    pool: str
    #: Seconds since it has its place in the pool; None while it waits for one.
    running_s: float | None
