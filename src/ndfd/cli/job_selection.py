"""Which jobs a command is about: those that are named, or all that fit."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ndfd.cli.job_options import ids_argument, label_option, labels_of, state_option, user_option
from ndfd.cli.options import DURATION
from ndfd.errors import UsageError
from ndfd.model.job_states import JobState
from ndfd.model.jobs import LIST_MAX, Job, JobQuery

if TYPE_CHECKING:
    from ndfd.client import Client

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Selection:
    """What a command line says of it: ids, or conditions that all have to hold."""

    ids: tuple[str, ...]
    every: bool
    states: tuple[JobState, ...]
    labels: Mapping[str, str]
    uid: int | None
    older_than_s: float | None

    @property
    def by_condition(self) -> bool:
        """Whether jobs are looked for, not named."""
        return not self.ids

    def check(self) -> None:
        """`UsageError` unless it is either ids or conditions."""
        conditions = bool(self.every or self.states or self.labels or self.uid is not None or self.older_than_s)
        if self.ids and conditions:
            raise UsageError("jobs are named by ID or chosen by options, not both", hint="leave one of them out")
        if not self.ids and not conditions:
            raise UsageError("no job is named", hint="name ids, or choose with --all, --state, --label or --older-than")

    def job_ids(self, client: Client, states: Sequence[JobState], now: float) -> Iterator[str]:
        """Those named, each once, or those of this user that fit, newest first; asks as they are taken."""
        if self.ids:
            yield from dict.fromkeys(self.ids)
            return
        # Administrators see everybody's jobs, and would not think of those here.
        uid = os.geteuid() if self.uid is None else self.uid
        query = JobQuery(states=self.states or tuple(states), labels=self.labels, uid=uid, limit=LIST_MAX)
        yield from (job.id for job in listed(client, query) if self._is_old_enough(job, now))

    def _is_old_enough(self, job: Job, now: float) -> bool:
        since = job.accepted_at if job.finished_at is None else job.finished_at
        return self.older_than_s is None or now - since > self.older_than_s


def listed(client: Client, query: JobQuery) -> Iterator[Job]:
    """All jobs that fit the query, newest first, a page of `query.limit` at a time."""
    cursor = query.cursor
    while True:
        page = client.jobs(
            JobQuery(states=query.states, labels=query.labels, uid=query.uid, cursor=cursor, limit=query.limit)
        )
        yield from page.jobs
        cursor = page.cursor
        if cursor is None:
            return


def selection_options(*possible: JobState, every: str, began: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Gives a command ids and conditions, which it gets as `selection`.

    `possible` are the states in which the command can do something; `every` is what --all means, `began` what
    --older-than counts from.
    """

    def decorate(command: Callable[..., T]) -> Callable[..., T]:
        @functools.wraps(command)
        def with_selection(
            *arguments: Any,
            ids: tuple[str, ...],
            every: bool,
            states: tuple[str, ...],
            labels: tuple[tuple[str, str], ...],
            user: int | None,
            older_than: float | None,
            **options: Any,
        ) -> T:
            wanted = tuple(JobState(state) for state in states)
            selection = Selection(ids, every, wanted, labels_of(labels), user, older_than)
            selection.check()
            return command(*arguments, selection=selection, **options)

        wrapped: Any = with_selection
        for option in reversed(
            (
                ids_argument(*possible),
                click.option("--all", "every", is_flag=True, help=every),
                state_option("All jobs in this state. Repeatable.", possible),
                label_option("All jobs that have this label. Repeatable: all of them."),
                user_option,
                click.option(
                    "--older-than", type=DURATION, metavar="TIME", help=f"All that {began} longer ago, as in 7d or 12h."
                ),
            )
        ):
            wrapped = option(wrapped)
        return wrapped  # type: ignore[no-any-return]

    return decorate


def now() -> float:
    """Seconds since 1970."""
    return time.time()
