"""What goes wrong with jobs and with the store that keeps them."""

from __future__ import annotations

from ndfd.errors.base import EX_DATAERR, EX_IOERR, EX_NOINPUT, EX_TEMPFAIL, NdfdError
from ndfd.errors.service import Busy


class JobError(NdfdError):
    """What was asked of a job cannot be done."""

    code = "job"
    exit_status = EX_DATAERR
    http_status = 409
    default_hint = "see what became of the job with `ndfd jobs show ID`"


class JobUnknown(JobError):
    """There is no such job, or it is another user's: which of the two is not said."""

    code = "job-unknown"
    exit_status = EX_NOINPUT
    http_status = 404
    default_hint = "`ndfd jobs list` shows yours; finished ones are forgotten after a time ([storage] keep_age)"


class JobNotFinished(JobError):
    """The job has no result yet."""

    code = "job-not-finished"
    exit_status = EX_TEMPFAIL
    retryable = True
    default_hint = "wait for it with `ndfd jobs watch ID`"


class JobCancelled(JobError):
    """The job was cancelled, so there is no result."""

    code = "job-cancelled"
    default_hint = "run it after all with `ndfd jobs retry ID`"


class JobStateConflict(JobError):
    """The job is in a state in which this cannot be done."""

    code = "job-state"


class KeyReused(JobError):
    """The idempotency key belongs to a job of another document or of other options."""

    code = "job-key-reused"
    http_status = 422
    default_hint = "use a new key for new work; the same key is for sending the same work again"


class QuotaExceeded(Busy):
    """The caller, or all callers together, have as many jobs or bytes waiting as they may; nothing was kept."""

    code = "quota-exceeded"
    http_status = 429
    default_hint = "try again when some of the jobs are done, or have the limit raised: [jobs]"


class StorageFull(Busy):
    """The disk of the store has too little space left for new work; what was accepted goes on."""

    code = "storage-full"
    http_status = 507
    default_hint = "free some space, forget finished jobs, or lower [storage] keep_size"


class StoreError(NdfdError):
    """The store of jobs cannot be read or written."""

    code = "store-unusable"
    exit_status = EX_IOERR
    http_status = 503
    retryable = True
    default_hint = "check the disk and the permissions of the state folder; the daemon's log has the reason"


class StoreDamaged(StoreError):
    """What the store holds is not what was written to it: the disk, or somebody who should not, has changed it."""

    code = "store-damaged"
    http_status = 500
    retryable = False
    default_hint = "look at the disk (smartctl, dmesg), then put a backup back with `ndfd restore`"


class BackupError(NdfdError):
    """A backup cannot be made, or what was given to restore is none, or is not whole."""

    code = "backup"
    exit_status = EX_DATAERR
    http_status = 400
    default_hint = "make a new one with `ndfd backup FILE`"
