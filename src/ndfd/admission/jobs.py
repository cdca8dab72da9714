"""Whether a job is taken on: a pure function of what is asked, what waits and how fast it gets done."""

from __future__ import annotations

from dataclasses import dataclass

from ndfd.errors import DocumentTooLarge, EmptyDocument, QuotaExceeded

#: Nobody is told to come back sooner or later than that: sooner costs more than it gains, and later all may be other.
RETRY_MIN_S, RETRY_MAX_S = 1.0, 300.0
#: Where nothing was done lately, nothing is known.
RETRY_UNKNOWN_S = 30.0


@dataclass(frozen=True, slots=True)
class JobLimits:
    """What is taken on. Each limit itself is still allowed."""

    document_max_bytes: int
    #: Jobs that wait or run, and the bytes of their documents.
    jobs_max: int
    bytes_max: int
    #: Less than those of all, so that no single user can fill the queue for all the others.
    jobs_per_user_max: int
    bytes_per_user_max: int


@dataclass(frozen=True, slots=True)
class JobLoad:
    """What waits and runs; submissions that are on their way into the store count as if they were in it."""

    jobs: int
    jobs_of_user: int
    bytes: int
    bytes_of_user: int


@dataclass(frozen=True, slots=True)
class JobPace:
    """What gets done in a second, as of late; 0 where that is not known."""

    jobs: float = 0.0
    jobs_of_user: float = 0.0
    bytes: float = 0.0
    bytes_of_user: float = 0.0


def admit_job(uid: int, size_bytes: int, load: JobLoad, pace: JobPace, limits: JobLimits) -> None:
    """Returns when the job is taken on.

    Raises `EmptyDocument` or `DocumentTooLarge` for what no waiting mends, and `QuotaExceeded`, with the time after
    which there should be room, for what it does.
    """
    if size_bytes == 0:
        raise EmptyDocument("the document has 0 bytes")
    largest = min(limits.document_max_bytes, limits.bytes_per_user_max, limits.bytes_max)
    if size_bytes > largest:
        key = "[document] max_size" if largest == limits.document_max_bytes else "[jobs] max_size_per_user and max_size"
        raise DocumentTooLarge(
            f"the document has {size_bytes} bytes; at most {largest} are taken",
            hint=f"split the document, or have the daemon's limit raised: {key}",
        )
    of_user, of_all = f"user {uid} has", "there are"
    _check(of_user, "jobs", load.jobs_of_user, 1, limits.jobs_per_user_max, pace.jobs_of_user)
    _check(of_user, "bytes", load.bytes_of_user, size_bytes, limits.bytes_per_user_max, pace.bytes_of_user)
    _check(of_all, "jobs", load.jobs, 1, limits.jobs_max, pace.jobs)
    _check(of_all, "bytes", load.bytes, size_bytes, limits.bytes_max, pace.bytes)


def _check(who: str, what: str, live: int, more: int, most: int, pace: float) -> None:
    excess = live + more - most
    if excess <= 0:
        return
    of = "" if what == "jobs" else " of documents"
    error = QuotaExceeded(f"{who} {live} {what}{of} waiting or running, of at most {most}")
    error.retry_after_s = retry_after_s(excess, pace)
    raise error


def retry_after_s(excess: int, pace: float) -> float:
    """Seconds until so much is done at this pace, within bounds that make sense."""
    if pace <= 0:
        return RETRY_UNKNOWN_S
    return min(max(excess / pace, RETRY_MIN_S), RETRY_MAX_S)
