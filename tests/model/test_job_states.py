"""The one table of what may become of a job."""

from __future__ import annotations

import itertools

import pytest

from ndfd.errors import JobStateConflict
from ndfd.model.job_states import FINAL, TRANSITIONS, JobEvent, JobState, next_state


def test_every_state_but_the_first_is_reached_and_every_event_happens() -> None:
    assert set(TRANSITIONS.values()) == set(JobState) - {JobState.RECEIVED}
    assert {event for _, event in TRANSITIONS} == set(JobEvent)


def test_a_job_ends_only_in_a_final_state_and_leaves_it_only_when_asked_or_when_its_result_is_lost() -> None:
    leaving = {state for state, _ in TRANSITIONS}
    assert set(JobState) - leaving == set()
    assert {event for state, event in TRANSITIONS if state in FINAL} == {JobEvent.RETRIED, JobEvent.RESULT_LOST}
    assert {state for state in JobState if state.is_final} == FINAL


def test_nothing_succeeds_that_was_not_running() -> None:
    assert [state for state, event in TRANSITIONS if event is JobEvent.SUCCEEDED] == [JobState.RUNNING]


@pytest.mark.parametrize(("state", "event"), list(itertools.product(JobState, JobEvent)))
def test_what_is_not_in_the_table_is_refused_by_name(state: JobState, event: JobEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert next_state(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(JobStateConflict, match=f"{state.value} cannot be {event.value}"):
            next_state(state, event)
