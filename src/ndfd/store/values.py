"""What goes into the store and comes out of it, beside the model's jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ndfd.model.conversion import ConvertOptions
from ndfd.model.job_states import JobEvent, JobState
from ndfd.model.jobs import Job, JobFault, JobOptions


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file of a watch folder: it goes in with its job, in one transaction, so that it is taken exactly once."""

    #: Name of the watch folder's configuration.
    watch: str
    path: str
    #: "device:inode:size:mtime_ns": tells a file from a later one at the same path.
    mark: str


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job that is to be."""

    uid: int
    options: JobOptions
    #: The daemon's version and its engine's, as "0.1.0 pdfium 159.0 c": another one may give another result.
    engine: str
    #: Who is told of its end: "NAME" of [hooks.NAME], "watch:NAME".
    hooks: tuple[str, ...] = ()
    taken: TakenFile | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A queued job that may run now."""

    id: str
    uid: int
    #: The lower, the sooner.
    rank: float
    pool: str | None
    accepted_at: float


@dataclass(frozen=True, slots=True)
class Leased:
    """A job that is this daemon's to run."""

    job: Job
    #: With the password.
    convert: ConvertOptions
    #: Open for reading, checked against its hash; the receiver closes it.
    document_fd: int


class Ending(NamedTuple):
    """How a run ended that gave no result."""

    #: FAILED, QUARANTINED or POSTPONED.
    event: JobEvent
    fault: JobFault | None = None
    #: Of POSTPONED: the next run begins no sooner. In the store's time.
    not_before: float | None = None
    #: False takes the attempt back: it never ran.
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Load:
    """Live (queued and running) jobs, and the bytes of their documents: everybody's, and one user's."""

    jobs: int
    jobs_of_user: int
    bytes: int
    bytes_of_user: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What the store holds."""

    #: Every state that a job can be in is there.
    jobs: Mapping[JobState, int]
    #: Of the files, each once.
    bytes: int
    #: Documents and results of finished jobs, as if none were shared.
    bytes_finished: int
    #: Documents of live jobs, the same way.
    bytes_live: int
    #: What the file system has left for this user, moments ago.
    bytes_free: int

    @property
    def queued(self) -> int:
        """Jobs that wait for a run."""
        return self.jobs[JobState.QUEUED]

    @property
    def running(self) -> int:
        """Jobs that are leased."""
        return self.jobs[JobState.RUNNING]


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of finished jobs is kept; None for no bound."""

    #: Seconds since their end.
    age_s: float | None = None
    count: int | None = None
    #: Of their documents and results.
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """Somebody to be told of a job's end."""

    #: The same at each attempt, so that a receiver can tell a second one.
    id: str
    #: As it is now.
    job: Job
    target: str
    #: Those that failed.
    attempts: int
    #: The watched file that it is about.
    source: TakenFile | None
