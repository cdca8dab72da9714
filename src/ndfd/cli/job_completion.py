"""What the shell offers for jobs: their ids, and their labels."""

from __future__ import annotations

from collections.abc import Callable

import click
from click.shell_completion import CompletionItem

from ndfd.errors import NdfdError
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobQuery

#: Nobody waits longer for the shell.
_TIMEOUT_S = 1.0
#: Of the newest jobs; more would fill the terminal.
_OFFERED_MAX = 50
#: Labels are looked for among so many of the newest jobs.
_LOOKED_AT = 200

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_jobs(*states: JobState) -> Complete:
    """Completes ids of the newest jobs in these states, or in any; those named already are not offered again."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        # 20 ms, in the moment in which somebody has pressed the tabulator here.
        from ndfd.cli.job_text import name_of

        named = context.params.get("ids") or ()
        found = [
            CompletionItem(job.id, help=f"{job.state.value}, {name_of(job)}")
            for job in _newest(context, JobQuery(states=states, limit=_LOOKED_AT))
            if job.id.startswith(incomplete.lower()) and job.id not in named
        ]
        return found[:_OFFERED_MAX]

    return complete


def complete_labels(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes NAME=VALUE with the labels of the newest jobs."""
    labels = {
        f"{name}={value}"
        for job in _newest(context, JobQuery(limit=_LOOKED_AT))
        for name, value in job.labels.items()
        if f"{name}={value}".isprintable()
    }
    return [CompletionItem(label) for label in sorted(labels) if label.startswith(incomplete)]


def _newest(context: click.Context, query: JobQuery) -> tuple[Job, ...]:
    from ndfd.cli.connect import running_daemon
    from ndfd.client import Client

    try:
        with Client.connect(running_daemon(context.params.get("socket")), _TIMEOUT_S) as client:
            return client.jobs(query, _TIMEOUT_S).jobs
    except NdfdError:
        return ()
