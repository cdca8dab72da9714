"""Completion hooks: who is told of which ends of jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ndfd.model.job_states import JobState


@dataclass(frozen=True, slots=True)
class Webhook:
    """A web server that is sent a POST."""

    url: str
    #: Deliveries are signed with it.
    secret: bytes = field(repr=False)
    #: Of one delivery, answer included.
    timeout_s: float


@dataclass(frozen=True, slots=True)
class ResultFolder:
    """A folder that results are put into."""

    path: Path


@dataclass(frozen=True, slots=True)
class Hook:
    """A target of deliveries, under the name of its [hooks.NAME]."""

    to: Webhook | ResultFolder
    events: frozenset[JobState]
    #: Whose jobs; empty: everybody's.
    uids: frozenset[int] = frozenset()
    #: Those that a job must have.
    labels: tuple[tuple[str, str], ...] = ()
    max_attempts: int = 14


def hooks_for(
    hooks: Mapping[str, Hook], uid: int, labels: Mapping[str, str], only: Iterable[str] | None = None
) -> tuple[str, ...]:
    """The names of the hooks that are told of the end of a job, for `NewJob.hooks`; of `only` those, where given.

    Which ends they want to hear of is asked when the job has ended.
    """
    among = None if only is None else frozenset(only)
    return tuple(
        name
        for name, hook in sorted(hooks.items())
        if (among is None or name in among)
        and (not hook.uids or uid in hook.uids)
        and all(labels.get(label) == value for label, value in hook.labels)
    )
