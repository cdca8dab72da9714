"""The table of a worker's states."""

from __future__ import annotations

import itertools

import pytest

from ndfd.model.status import WorkerState
from ndfd.supervisor.states import TRANSITIONS, Action, Event, step

#: What can happen to a worker in each state, in the order of its life. All else is refused.
POSSIBLE = {
    WorkerState.STARTING: {Event.SPAWNED, Event.NOT_SPAWNED, Event.RETIRED, Event.CONDEMNED},
    WorkerState.IDLE: {Event.ENGAGED, Event.RETIRED, Event.CONDEMNED, Event.ENDED},
    WorkerState.BUSY: {Event.ANSWERED, Event.RETIRED, Event.CONDEMNED, Event.ENDED},
    WorkerState.DRAINING: {Event.ANSWERED, Event.RETIRED, Event.CONDEMNED, Event.ENDED},
    WorkerState.DYING: {Event.SPAWNED, Event.NOT_SPAWNED, Event.RETIRED, Event.CONDEMNED, Event.ENDED},
    WorkerState.DEAD: set(),
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(WorkerState, Event)), ids=str)
def test_every_event_in_every_state_leads_somewhere_or_is_refused(state: WorkerState, event: Event) -> None:
    if event in POSSIBLE[state]:
        assert step(state, event) == TRANSITIONS[state, event]
    else:
        with pytest.raises(RuntimeError, match=f"a worker that is {state} cannot be {event}"):
            step(state, event)


def test_whoever_drains_takes_no_other_conversion_and_goes_with_its_answer() -> None:
    assert step(WorkerState.BUSY, Event.RETIRED) == (WorkerState.DRAINING, Action.NOTHING)
    assert step(WorkerState.DRAINING, Event.ANSWERED) == (WorkerState.DYING, Action.KILL)
    into = {state for (state, _), to in TRANSITIONS.items() if to.action is Action.OFFER}
    assert into == {WorkerState.STARTING, WorkerState.BUSY}


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
    for state in (WorkerState.IDLE, WorkerState.BUSY, WorkerState.DRAINING):
        assert step(state, Event.CONDEMNED) == (WorkerState.DYING, Action.KILL)


def test_everybody_but_the_dead_can_be_condemned() -> None:
    assert {state for state, event in TRANSITIONS if event is Event.CONDEMNED} == set(WorkerState) - {WorkerState.DEAD}
