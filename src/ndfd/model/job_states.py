"""The states of a job: the one table of what may become of it. Whoever changes a job's state asks this table."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from ndfd.errors import JobStateConflict


class JobState(enum.StrEnum):
    """Where a job is on its way."""

    #: On its way into the store: not yet acknowledged, and never seen in the store or by anybody.
    RECEIVED = "received"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    #: The document's fault, or one that trying again did not mend: the error says which.
    FAILED = "failed"
    #: The document ended its workers, or the daemon ended too often while it ran: it is not tried again by itself.
    QUARANTINED = "quarantined"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to the job by itself."""
        return self in FINAL


class JobEvent(enum.StrEnum):
    """What can happen to a job."""

    #: Document and row are on the disk: from here on it is acknowledged.
    ACCEPTED = "accepted"
    #: A run of it was leased to a daemon's life.
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    CANCELLED = "cancelled"
    #: This run failed in a way that trying again may mend: it waits for its next one.
    POSTPONED = "postponed"
    #: The daemon ended, however, while it ran.
    INTERRUPTED = "interrupted"
    #: Its owner wants it run anew.
    RETRIED = "retried"
    #: Its result was found damaged on the disk; the document is there, so that it is made anew.
    RESULT_LOST = "result_lost"


_S, _E = JobState, JobEvent

#: What each event makes of a job; what is not here cannot happen.
TRANSITIONS: Mapping[tuple[JobState, JobEvent], JobState] = MappingProxyType(
    {
        (_S.RECEIVED, _E.ACCEPTED): _S.QUEUED,
        (_S.QUEUED, _E.STARTED): _S.RUNNING,
        (_S.QUEUED, _E.CANCELLED): _S.CANCELLED,
        (_S.RUNNING, _E.SUCCEEDED): _S.SUCCEEDED,
        (_S.RUNNING, _E.FAILED): _S.FAILED,
        (_S.RUNNING, _E.QUARANTINED): _S.QUARANTINED,
        (_S.RUNNING, _E.CANCELLED): _S.CANCELLED,
        (_S.RUNNING, _E.POSTPONED): _S.QUEUED,
        (_S.RUNNING, _E.INTERRUPTED): _S.QUEUED,
        (_S.FAILED, _E.RETRIED): _S.QUEUED,
        (_S.QUARANTINED, _E.RETRIED): _S.QUEUED,
        (_S.CANCELLED, _E.RETRIED): _S.QUEUED,
        (_S.SUCCEEDED, _E.RESULT_LOST): _S.QUEUED,
    }
)

#: States that a job leaves only when somebody asks for it, or its result is lost.
FINAL = frozenset({_S.SUCCEEDED, _S.FAILED, _S.QUARANTINED, _S.CANCELLED})


def next_state(state: JobState, event: JobEvent) -> JobState:
    """What the event makes of a job in this state; `JobStateConflict` when it cannot happen to it."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise JobStateConflict(f"a job that is {state.value} cannot be {event.value}") from None
