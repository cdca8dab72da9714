"""Options and arguments of the commands about jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from ndfd.cli.job_completion import complete_jobs, complete_labels
from ndfd.errors import UsageError
from ndfd.model.job_states import JobState

#: States that a job can be seen in.
STATES = tuple(state for state in JobState if state is not JobState.RECEIVED)


class _Label(click.ParamType[tuple[str, str]]):
    """NAME=VALUE."""

    name = "label"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Name and value, which may be empty and hold further equals signs; what a name may be the daemon judges."""
        name, equals, text = str(value).partition("=")
        if not equals or not name:
            self.fail(f"{value!r} is no label: write NAME=VALUE", param, ctx)
        return name, text


class _User(click.ParamType[int]):
    """A user's name or number."""

    name = "user"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; -1 is whoever came over the network."""
        text = str(value)
        if text == "network":
            return -1
        if text.isascii() and text.removeprefix("-").isdigit():
            return int(text)
        # The platform, 20 ms, which help and completion do not need.
        from ndfd import platform

        try:
            return platform.user_id(text)
        except KeyError:
            self.fail(f"there is no user {text!r}: write a name, a number, or network", param, ctx)


def label_option(what: str) -> Callable[[Any], Any]:
    """--label, repeatable; the command gets pairs as `labels`, which `labels_of` makes a mapping of."""
    return click.option(
        "--label", "labels", type=_Label(), multiple=True, metavar="K=V", help=what, shell_complete=complete_labels
    )


def labels_of(pairs: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """`UsageError` for a name that is given two values."""
    labels: dict[str, str] = {}
    for name, value in pairs:
        if labels.setdefault(name, value) != value:
            raise UsageError(f"the label {name!r} is given twice: {labels[name]!r} and {value!r}", hint="give it once")
    return labels


def state_option(what: str, states: Sequence[JobState] = STATES) -> Callable[[Any], Any]:
    """--state, repeatable; the command gets names as `states`."""
    return click.option(
        "--state", "states", type=click.Choice([state.value for state in states]), multiple=True, help=what
    )


user_option = click.option(
    "--user", type=_User(), metavar="USER", help="Jobs of this user (name, number, or network); for administrators."
)


def ids_argument(*states: JobState, required: bool = False) -> Callable[[Any], Any]:
    """ID…; the shell offers the jobs in these states, or all."""
    return click.argument(
        "ids",
        nargs=-1,
        required=required,
        metavar="ID…" if required else "[ID]…",
        shell_complete=complete_jobs(*states),
    )


def id_argument(*states: JobState) -> Callable[[Any], Any]:
    """ID: one job."""
    return click.argument("job_id", metavar="ID", shell_complete=complete_jobs(*states))
