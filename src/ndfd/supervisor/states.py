"""The states of a worker: one table. What is not in it is refused."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ndfd.model.status import WorkerState


class Event(enum.StrEnum):
    """What can happen to a worker."""

    #: The zygote forked it.
    SPAWNED = "spawned"
    #: The zygote could not.
    NOT_SPAWNED = "not_spawned"
    #: A conversion was sent to it.
    ENGAGED = "engaged"
    #: It answered.
    ANSWERED = "answered"
    #: It takes no other conversion, and goes when it has ended the one it has.
    RETIRED = "retired"
    #: It must go: deadline, cancellation, breach of protocol, recycling, shutdown.
    CONDEMNED = "condemned"
    #: Its process has ended.
    ENDED = "ended"


class Action(enum.StrEnum):
    """What the pool does about it."""

    NOTHING = "nothing"
    #: See whether a conversion waits for it.
    OFFER = "offer"
    #: Kill its process.
    KILL = "kill"
    #: Start another one in its place.
    REPLACE = "replace"
    #: Start another one in its place, but not at once: nothing that was asked of it explains the end.
    BACK_OFF = "back_off"
    #: Fail its conversion with the cause, and start another one in its place.
    BLAME = "blame"


class Step(NamedTuple):
    """Where an event leads."""

    state: WorkerState
    action: Action


TRANSITIONS: Mapping[tuple[WorkerState, Event], Step] = MappingProxyType(
    {
        (WorkerState.STARTING, Event.SPAWNED): Step(WorkerState.IDLE, Action.OFFER),
        (WorkerState.STARTING, Event.NOT_SPAWNED): Step(WorkerState.DEAD, Action.BACK_OFF),
        # There is nothing to kill yet.
        (WorkerState.STARTING, Event.RETIRED): Step(WorkerState.DYING, Action.NOTHING),
        (WorkerState.STARTING, Event.CONDEMNED): Step(WorkerState.DYING, Action.NOTHING),
        (WorkerState.IDLE, Event.ENGAGED): Step(WorkerState.BUSY, Action.NOTHING),
        (WorkerState.IDLE, Event.RETIRED): Step(WorkerState.DYING, Action.KILL),
        (WorkerState.IDLE, Event.CONDEMNED): Step(WorkerState.DYING, Action.KILL),
        (WorkerState.IDLE, Event.ENDED): Step(WorkerState.DEAD, Action.BACK_OFF),
        (WorkerState.BUSY, Event.ANSWERED): Step(WorkerState.IDLE, Action.OFFER),
        (WorkerState.BUSY, Event.RETIRED): Step(WorkerState.DRAINING, Action.NOTHING),
        (WorkerState.BUSY, Event.CONDEMNED): Step(WorkerState.DYING, Action.KILL),
        (WorkerState.BUSY, Event.ENDED): Step(WorkerState.DEAD, Action.BLAME),
        (WorkerState.DRAINING, Event.ANSWERED): Step(WorkerState.DYING, Action.KILL),
        (WorkerState.DRAINING, Event.RETIRED): Step(WorkerState.DRAINING, Action.NOTHING),
        (WorkerState.DRAINING, Event.CONDEMNED): Step(WorkerState.DYING, Action.KILL),
        (WorkerState.DRAINING, Event.ENDED): Step(WorkerState.DEAD, Action.BLAME),
        # Condemned before its process was there.
        (WorkerState.DYING, Event.SPAWNED): Step(WorkerState.DYING, Action.KILL),
        (WorkerState.DYING, Event.NOT_SPAWNED): Step(WorkerState.DEAD, Action.REPLACE),
        (WorkerState.DYING, Event.RETIRED): Step(WorkerState.DYING, Action.NOTHING),
        (WorkerState.DYING, Event.CONDEMNED): Step(WorkerState.DYING, Action.NOTHING),
        (WorkerState.DYING, Event.ENDED): Step(WorkerState.DEAD, Action.REPLACE),
    }
)


def step(state: WorkerState, event: Event) -> Step:
    """Where `event` leads from `state`; RuntimeError, a fault of the pool's own, for what is not in the table."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise RuntimeError(f"a worker that is {state} cannot be {event}") from None
