"""What is kept of a worker that ended over a document."""

from __future__ import annotations

import enum

import msgspec

from ndfd.model.conversion import OutputFormat


class CrashCause(enum.StrEnum):
    """What ended it."""

    #: A fault of the engine, or a kill from outside.
    CRASH = "crash"
    #: It was not done at its deadline.
    TIMEOUT = "timeout"
    #: It used up its memory.
    MEMORY = "memory"
    #: It used up its CPU time.
    CPU = "cpu"
    #: It attempted what its confinement denies.
    SANDBOX_VIOLATION = "sandbox_violation"
    #: It sent what no sound worker sends.
    PROTOCOL = "protocol"


class Stage(enum.StrEnum):
    """How far a conversion has come."""

    #: The document is opened, or its first page read.
    OPENING = "opening"
    READING = "reading"
    #: Every page is read; the record is put together and rendered.
    FINISHING = "finishing"


class CrashReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """One end of a worker that a document, or an accident during it, caused. Nothing of the document is in it."""

    #: Seconds since 1970.
    at: float
    cause: CrashCause
    #: Of the error that its caller got, or would have without another attempt.
    code: str
    stage: Stage
    #: Number of the conversion, as the daemon's log has it, and whose it was.
    conversion: int
    uid: int
    #: 1, or 2 on the fresh worker that tried the document again.
    attempt: int
    #: Of the document.
    size_bytes: int
    format: OutputFormat
    #: The engine, with its version.
    engine: str
    #: Version of ndfd.
    version: str
    #: Number of the worker, its process, and the conversions it had ended before.
    worker: int
    pid: int
    served: int
    #: The page it was on, 1-based, and the pages of the document, where they were known.
    page: int | None = None
    pages: int | None = None
    #: "SIGSEGV".
    signal: str | None = None
    #: Exit status, where no signal ended it.
    exit_status: int | None = None
    #: The system call that its confinement denied.
    call: str | None = None
    #: Peak resident set of the worker; 0 where it is not known.
    rss_max_bytes: int = 0


class Crashes(msgspec.Struct, frozen=True):
    """Those that are kept, newest last."""

    #: Of the configuration that served the call.
    generation: int
    crashes: tuple[CrashReport, ...]
