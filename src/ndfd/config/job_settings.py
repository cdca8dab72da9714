"""The keys of durable jobs and of the store that keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import model_validator

from ndfd.config import kinds
from ndfd.config.group import Group, key, rule
from ndfd.model.configuration import Effect

_DAY_S = 86400.0


class StorageSettings(Group):
    """Where jobs, their documents and their results are kept, and for how long."""

    state_dir: Annotated[Path | Literal["auto"], kinds.FilePath(words=("auto",))] = key(
        "auto",
        'Folder of the store, on a local disk: what is acknowledged is as safe as its fsync. "auto": /var/lib/ndfd '
        "for root, ndfd in the user's state folder ($XDG_STATE_HOME, ~/.local/state) otherwise.",
        Effect.RESTART,
    )
    keep_free: Annotated[int, kinds.Size(0)] = key(
        500 * 1000**2,
        "Space that new work leaves free on that disk, so that what was accepted before can be finished and its result "
        "kept; beyond it submissions are told to try again.",
    )
    keep_age: Annotated[float | Literal["unlimited"], kinds.Duration(1.0, words=("unlimited",))] = key(
        7 * _DAY_S, "Time after its end at which a job is forgotten, with its document and its result."
    )
    keep_count: Annotated[int | Literal["unlimited"], kinds.Number(0, words=("unlimited",))] = key(
        100_000, "Finished jobs that are kept; the oldest are forgotten first."
    )
    keep_size: Annotated[int | Literal["unlimited"], kinds.Size(0, words=("unlimited",))] = key(
        20 * 1000**3, "Bytes of documents and results of finished jobs that are kept; the oldest are forgotten first."
    )


class JobsSettings(Group):
    """Durable jobs, as ndfd submit makes them: accepted means never lost. What a caller waits for is none."""

    enabled: Annotated[bool, kinds.Flag()] = key(True, "Whether the daemon takes and keeps jobs.", Effect.RESTART)
    max_attempts: Annotated[int, kinds.Number(1, 100)] = key(
        3,
        "Runs of a job at most, when they fail in ways that trying again may mend. A document's own fault ends its job "
        "at once; one that ended its worker twice is quarantined.",
    )
    retry_delay: Annotated[float, kinds.Duration(0.1, 3600.0)] = key(
        5.0, "Time before the second run of a job; it doubles with each further one."
    )
    max_queued: Annotated[int, kinds.Number(1, 10_000_000)] = key(
        200_000, "Jobs of all users that may be queued or running; one more is told to try again."
    )
    max_queued_per_user: Annotated[int, kinds.Number(1, 10_000_000)] = key(
        100_000, "Those of one user, so that no user can fill the queue alone."
    )
    max_size: Annotated[int, kinds.Size(1)] = key(
        50 * 1000**3, "Bytes of documents of all users' jobs that may be queued or running."
    )
    max_size_per_user: Annotated[int, kinds.Size(1)] = key(20 * 1000**3, "Those of one user's jobs.")
    max_running_per_user: Annotated[int | Literal["unlimited"], kinds.Number(1, 1024, words=("unlimited",))] = key(
        "unlimited",
        "Jobs of one user that may run at a time. Users share the workers evenly anyway; this keeps some of them free.",
    )

    @model_validator(mode="after")
    def _user_within_all(self) -> JobsSettings:
        for mine, all_users in (("max_queued_per_user", "max_queued"), ("max_size_per_user", "max_size")):
            if getattr(self, mine) > getattr(self, all_users):
                raise rule(f"{mine} is above {all_users}: one user could fill the queue alone", mine, all_users)
        return self
