"""Jobs as their owners see them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ndfd.errors import NdfdError, error_from_code
from ndfd.model.conversion import ConversionReport, ConvertOptions, OutputFormat
from ndfd.model.job_states import JobState

PRIORITY_MIN, PRIORITY_MAX = -10, 10
#: What one step of priority counts as much as: so long a wait.
PRIORITY_STEP_S = 60.0
#: Of one job.
LABELS_MAX = 32
LABEL_NAME_MAX_CHARACTERS = 63
LABEL_VALUE_MAX_CHARACTERS = 255
KEY_MAX_CHARACTERS = 255
#: Jobs of one answer of `List`.
LIST_MAX = 1000


class JobOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is asked of a job."""

    #: Of the conversion. Its deadline is that of each run, from the moment a worker may have it.
    convert: ConvertOptions = ConvertOptions()
    #: From -10 to 10: each step counts as much as a minute of waiting, so that nobody waits for ever.
    priority: int = 0
    #: Sending the same work with the same key again gives the same job.
    key: str | None = None
    #: The owner's own, to find jobs by.
    labels: Mapping[str, str] = {}


class JobFault(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a job, or its last run, did not succeed."""

    #: One of those that `ndfd errors` lists.
    code: str
    message: str
    hint: str
    retryable: bool
    #: 1-based; the page it is about, where one is known.
    page: int | None = None

    @classmethod
    def of(cls, error: NdfdError) -> JobFault:
        """The error as it is kept."""
        return cls(error.code, error.message, error.hint, error.retryable, error.page)

    def error(self) -> NdfdError:
        """The error that it was."""
        return error_from_code(self.code, self.message, hint=self.hint, page=self.page)


class Job(msgspec.Struct, frozen=True, omit_defaults=True):
    """A job at one moment. Times are seconds since 1970."""

    id: str
    state: JobState
    #: Whose it is; -1 for whoever came over the network.
    uid: int
    format: OutputFormat
    #: Size of the document.
    size_bytes: int
    #: Counts what has happened to it, so that a later view can be told from an earlier one.
    version: int
    accepted_at: float
    #: Beginning of the last run.
    started_at: float | None = None
    finished_at: float | None = None
    #: The next run begins no sooner.
    not_before: float | None = None
    #: Runs begun, over all lives of the daemon.
    attempts: int = 0
    #: Those of them that the daemon's end interrupted while a worker had the document.
    interruptions: int = 0
    #: Name of the document as its owner knows it.
    name: str | None = None
    priority: int = 0
    pool: str | None = None
    deadline_s: float | None = None
    key: str | None = None
    labels: Mapping[str, str] = {}
    #: Pages done and pages in all of the run that is going on.
    pages_done: int | None = None
    pages: int | None = None
    #: Once it has succeeded.
    report: ConversionReport | None = None
    #: Of a job that ended otherwise, or why its last run did not succeed.
    fault: JobFault | None = None
    #: Deliveries of its end that are still to be made, and those that were given up.
    deliveries_due: int = 0
    deliveries_failed: int = 0


class Submission(msgspec.Struct, frozen=True):
    """A job that is on the disk."""

    job: Job
    #: It was there before: the same key, or the same work.
    reused: bool


class JobQuery(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which jobs are asked for; those that fit all that is given."""

    states: tuple[JobState, ...] = ()
    labels: Mapping[str, str] = {}
    #: Of this user; for administrators, who see everybody's. Others see their own.
    uid: int | None = None
    #: What the last answer gave as `cursor`: those after it.
    cursor: str | None = None
    limit: int = 100


class JobPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Some jobs, newest first."""

    jobs: tuple[Job, ...]
    #: For the next ones; None when these are the last.
    cursor: str | None = None


class JobChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened to a job, as its history keeps it."""

    at: float
    event: str
    state: JobState
    attempt: int
    #: Code of the error, where there was one.
    code: str | None = None


class BackupReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a backup of the store holds."""

    jobs: int
    #: Files of documents and of results; what several jobs share is in it once.
    documents: int
    results: int
    #: Of all files in it, the database with them.
    size_bytes: int
    #: Seconds since 1970.
    made_at: float
    #: Of the ndfd that made it.
    version: str
    #: Files of the spool that were damaged or missing when it was made: their jobs are in it and their bytes are not.
    damaged: int = 0
