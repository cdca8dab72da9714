"""What the daemon says of itself."""

from __future__ import annotations

import enum

import msgspec

from ndfd.model.sandbox import Sandbox


class WorkerState(enum.StrEnum):
    """The states of a worker process as its supervisor sees it."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    #: Busy, and takes no other conversion.
    DRAINING = "draining"
    DYING = "dying"
    DEAD = "dead"


class WorkerStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """One worker."""

    #: Number that the supervisor gave it; never used twice in one daemon's life.
    id: int
    pid: int
    state: WorkerState
    #: Conversions it has ended.
    served: int
    #: Seconds since it started.
    age_s: float
    rss_bytes: int
    #: Name of the document it works on, where its caller gave one.
    document: str | None = None
    #: Pages done and pages in all of that document.
    page: int | None = None
    pages: int | None = None
    #: Seconds it has worked on that document.
    busy_s: float | None = None
    #: Name and role of the pool that it is of; empty where only one pool is looked at.
    pool: str = ""
    role: str = ""


class PoolStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """A pool of workers that callers may name."""

    name: str
    #: What its workers do: "extractor".
    role: str
    #: Workers that it keeps when there is nothing to do, and has at most.
    workers_min: int
    workers_max: int
    #: Conversions that wait for one of its workers.
    queued: int
    #: Why no worker can be started, while that is so.
    error: str | None = None


class EngineStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """The document engine that the workers run."""

    #: "pdfium 159.0.8149".
    name: str
    #: "c" or "python".
    native: str
    #: Folders with fonts for Chinese, Japanese and Korean text whose font is not embedded; empty: such text is lost.
    fallback_fonts: tuple[str, ...] = ()


class JobsStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """The durable jobs, and the store that keeps them."""

    #: Folder of the store.
    state_dir: str
    queued: int
    running: int
    #: Those that have ended and are kept, by how.
    succeeded: int
    failed: int
    quarantined: int
    cancelled: int
    #: Documents and results of all jobs, each counted as often as it is one's: what is shared is on the disk once.
    spool_bytes: int
    #: What is left on that disk for this daemon.
    free_bytes: int
    #: Jobs that an earlier daemon left running, and that were put back in the queue at the start.
    recovered: int
    #: Seconds that the first of those that wait has waited.
    oldest_queued_s: float | None = None
    #: Deliveries of ends of jobs that were given up since the start.
    deliveries_failed: int = 0


class RenewReport(msgspec.Struct, frozen=True):
    """What came of replacing workers."""

    #: Of the configuration that served the call.
    generation: int
    #: Workers that were replaced.
    renewed: int


class DaemonStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """The daemon, its workers and what they do."""

    version: str
    pid: int
    uptime_s: float
    sockets: tuple[str, ...]
    engine: EngineStatus | None
    workers: tuple[WorkerStatus, ...]
    #: Conversions that wait for a worker.
    queued: int
    #: Conversions ended since the start, by outcome.
    succeeded: int
    failed: int
    pages: int
    #: Counts the configurations that this daemon has run, from 1.
    generation: int
    #: SHA-256 of the configuration that holds, in hexadecimal; of secrets nothing is in it.
    config_hash: str
    #: What an operator should know and mend; empty when all is well.
    warnings: tuple[str, ...] = ()
    #: Those of the configuration that holds, the default one first; workers of others are on their way out.
    pools: tuple[PoolStatus, ...] = ()
    #: What confines the workers, as it was measured before the first of them; absent before that.
    sandbox: Sandbox | None = None
    #: Absent from a daemon that keeps none.
    jobs: JobsStatus | None = None
