"""Admission of jobs: quotas, and when to come back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ndfd.admission.jobs import RETRY_MAX_S, RETRY_MIN_S, RETRY_UNKNOWN_S, JobLimits, JobLoad, JobPace, admit_job
from ndfd.errors import DocumentTooLarge, EmptyDocument, QuotaExceeded

LIMITS = JobLimits(document_max_bytes=1000, jobs_max=10, bytes_max=5000, jobs_per_user_max=4, bytes_per_user_max=2000)
NOTHING = JobLoad(0, 0, 0, 0)
PACE = JobPace(jobs=2.0, jobs_of_user=0.5, bytes=100.0, bytes_of_user=10.0)


def refused(size_bytes: int, load: JobLoad, pace: JobPace = PACE) -> QuotaExceeded:
    with pytest.raises(QuotaExceeded) as error:
        admit_job(7, size_bytes, load, pace, LIMITS)
    return error.value


def test_a_job_up_to_every_limit_is_taken() -> None:
    admit_job(7, 1000, JobLoad(9, 3, 4000, 1000), PACE, LIMITS)


def test_an_empty_document_and_one_too_large_are_refused_for_what_they_are() -> None:
    full = JobLoad(10, 4, 5000, 2000)
    with pytest.raises(EmptyDocument):
        admit_job(7, 0, full, PACE, LIMITS)
    with pytest.raises(DocumentTooLarge, match="1001 bytes; at most 1000"):
        admit_job(7, 1001, full, PACE, LIMITS)


def test_a_document_that_no_waiting_makes_room_for_is_too_large() -> None:
    limits = replace(LIMITS, bytes_per_user_max=500)
    with pytest.raises(DocumentTooLarge, match="at most 500") as error:
        admit_job(7, 501, NOTHING, PACE, limits)
    assert "max_size_per_user" in error.value.hint


def test_a_user_with_as_many_jobs_as_it_may_have_is_told_when_one_should_be_done() -> None:
    error = refused(1, JobLoad(5, 4, 100, 100))
    assert "user 7 has 4 jobs" in str(error)
    assert error.retry_after_s == pytest.approx(2.0)
    assert error.retryable
    assert error.http_status == 429


def test_a_user_with_as_many_bytes_as_it_may_have_waits_for_that_many() -> None:
    error = refused(600, JobLoad(3, 3, 1500, 1500))
    assert "1500 bytes" in str(error)
    assert error.retry_after_s == pytest.approx(10.0)


def test_a_full_daemon_takes_nobodys_job() -> None:
    assert "there are 10 jobs" in str(refused(1, JobLoad(10, 0, 100, 0)))
    assert "there are 4999 bytes" in str(refused(2, JobLoad(1, 0, 4999, 0)))


def test_the_time_to_wait_stays_within_bounds() -> None:
    load = JobLoad(5, 4, 100, 100)
    assert refused(1, load, JobPace(jobs_of_user=1e9)).retry_after_s == RETRY_MIN_S
    assert refused(1, load, JobPace(jobs_of_user=1e-9)).retry_after_s == RETRY_MAX_S
    assert refused(1, load, JobPace()).retry_after_s == RETRY_UNKNOWN_S
