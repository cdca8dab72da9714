"""The table of a worker's states."""

from __future__ import annotations

import itertools

import pytest

from ndfd.model.status import WorkerState
from ndfd.supervisor.states import TRANSITIONS, Action, Event, step


def test_every_state_is_reached_from_starting() -> None:
    reached = {WorkerState.STARTING}
    for _ in WorkerState:
        reached |= {to.state for (state, _), to in TRANSITIONS.items() if state in reached}
    assert reached == set(WorkerState)


def test_the_dead_stay_dead() -> None:
    assert not [state for state, _ in TRANSITIONS if state is WorkerState.DEAD]


def test_every_way_out_of_life_says_what_becomes_of_the_place() -> None:
    after = {to.action for to in TRANSITIONS.values() if to.state is WorkerState.DEAD}
    assert after == {Action.REPLACE, Action.BACK_OFF, Action.BLAME}


def test_whoever_has_a_process_and_is_condemned_is_killed() -> None:
    for state in (WorkerState.IDLE, WorkerState.BUSY):
        assert step(state, Event.CONDEMNED) == (WorkerState.DYING, Action.KILL)


def test_everybody_but_the_dead_can_be_condemned() -> None:
    assert {state for state, event in TRANSITIONS if event is Event.CONDEMNED} == set(WorkerState) - {WorkerState.DEAD}


@pytest.mark.parametrize(
    ("state", "event"), sorted(set(itertools.product(WorkerState, Event)) - set(TRANSITIONS)), ids=str
)
def test_what_is_not_in_the_table_is_refused(state: WorkerState, event: Event) -> None:
    with pytest.raises(RuntimeError, match=f"a worker that is {state} cannot be {event}"):
        step(state, event)
