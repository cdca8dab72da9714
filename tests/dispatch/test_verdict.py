"""What an error makes of a job."""

from __future__ import annotations

import pytest

from ndfd import errors
from ndfd.dispatch.verdict import delay_s, verdict
from ndfd.errors import NdfdError
from ndfd.model.job_states import JobEvent

FAILED, POSTPONED, QUARANTINED = JobEvent.FAILED, JobEvent.POSTPONED, JobEvent.QUARANTINED


def of(error: NdfdError, attempts: int = 1) -> tuple[JobEvent, bool, float | None]:
    ending = verdict(error, attempts, 3, 5.0, 1000.0, 0.0)
    assert ending.fault is not None
    assert ending.fault.code == error.code
    return ending.event, ending.counts, ending.not_before


@pytest.mark.parametrize("kind", [errors.DocumentKillsWorkers, errors.SandboxViolation])
def test_what_may_be_an_attack_is_quarantined_at_once(kind: type[NdfdError]) -> None:
    ending = verdict(kind("it did", page=7), 1, 3, 5.0, 1000.0, 0.0)
    assert ending.event is QUARANTINED
    assert ending.fault is not None
    assert ending.fault.page == 7


@pytest.mark.parametrize(
    "kind",
    [errors.DamagedDocument, errors.ConversionTimeout, errors.ConversionOutOfMemory, errors.PasswordWrong, NdfdError],
)
def test_what_trying_again_does_not_mend_fails(kind: type[NdfdError]) -> None:
    assert of(kind("no")) == (FAILED, True, None)


@pytest.mark.parametrize("kind", [errors.WorkerCrashed, errors.WorkerProtocolError, errors.DocumentChanged])
def test_what_trying_again_may_mend_is_tried_later_and_not_for_ever(kind: type[NdfdError]) -> None:
    assert of(kind("no"), 1) == (POSTPONED, True, 1005.0)
    assert of(kind("no"), 2) == (POSTPONED, True, 1010.0)
    assert of(kind("no"), 3) == (FAILED, True, None)


@pytest.mark.parametrize("kind", [errors.Busy, errors.PoolUnknown])
@pytest.mark.parametrize("attempts", [1, 100])
def test_what_no_worker_has_seen_has_not_run_and_waits_a_while(kind: type[NdfdError], attempts: int) -> None:
    assert of(kind("no"), attempts) == (POSTPONED, False, 1005.0)


@pytest.mark.parametrize("kind", [errors.ShuttingDown, errors.WorkerStartFailed, errors.SwarmCircuitOpen])
def test_a_pool_that_has_no_worker_or_stops_costs_a_job_nothing_but_time(kind: type[NdfdError]) -> None:
    assert of(kind("no"), 100) == (POSTPONED, False, None)


def test_every_error_there_is_has_an_end_that_its_kind_allows() -> None:
    for kind in errors.error_classes():
        event, counts, not_before = of(kind("no"))
        assert event in (FAILED, POSTPONED, QUARANTINED)
        assert counts or event is POSTPONED
        assert not_before is None or event is POSTPONED


def test_the_next_run_comes_later_each_time_and_never_after_a_year() -> None:
    delays = [delay_s(attempts, 5.0, 0.0) for attempts in range(1, 200)]
    assert delays == sorted(delays)
    assert delays[:4] == [5.0, 10.0, 20.0, 40.0]
    assert delays[-1] <= 2 * 3600


def test_jobs_that_failed_together_come_back_apart() -> None:
    assert delay_s(1, 5.0, 1.0) == 7.5
    assert delay_s(1, 5.0, 0.5) == 6.25
