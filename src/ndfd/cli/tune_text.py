"""What `ndfd tune` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import click

from ndfd.cli.config_values import print_json
from ndfd.model.printable import printable
from ndfd.model.tuning import FINE, KnobState, Outcome, Preset, gravest

#: What is said of one value, beside its name and what became of it.
Text = Callable[[KnobState], str]

#: What a value is called that a plan would write, or that was not looked at.
_PENDING = "write"
_WIDTH = max(len(outcome) for outcome in Outcome)


def tell(
    action: str, states: Sequence[KnobState], text: Text, *, as_json: bool, preset: Preset | None, journal: Path
) -> None:
    """On stdout a line for each value and below it what to do, on stderr their number; or all as one object."""
    if as_json:
        answer = {"action": action, "preset": preset, "journal": str(journal), "outcome": gravest(states)}
        print_json({**answer, "knobs": [_as_object(state) for state in states]})
        return
    lines = list(_lines(states, text))
    width = max((len(label) for label, _, _ in lines), default=0)
    for label, state, said in lines:
        style = "yellow" if state.outcome is None else "green" if state.outcome in FINE else "red"
        click.echo(
            f"{label:<{width}}  {click.style(f'{_named(state.outcome):<{_WIDTH}}', fg=style)}  {printable(said)}"
        )
        if state.command is not None and state.outcome is None:
            click.echo(f"    {printable(state.command)}")
        if state.hint:
            click.echo(f"    -> {printable(state.hint)}")
    click.echo(f"ndfd: {_counted(states)}", err=True)


def planned(state: KnobState) -> str:
    """What there is, what shall be, who wants it, who has to write it."""
    if state.outcome is not None:
        return became(state)
    because = f"; {state.reason}" if state.reason else ""
    return f"{state.current} -> {state.wanted}  ({state.source}; {state.writer} has to write it{because})"


def became(state: KnobState) -> str:
    """What is there, and why."""
    return _with_reason(state.current or "", state)


def compared(state: KnobState) -> str:
    """What is expected, and what there is."""
    if state.wanted is None:
        return became(state)
    return _with_reason(f"expected {state.wanted}, actual {state.current or 'unknown'}", state)


def present(state: KnobState) -> str:
    """What there is, what it was, and what is wanted."""
    was = "" if state.original is None else f", was {state.original} before it was tuned"
    wanted = f", {state.wanted} is wanted" if state.outcome is None else ""
    reason = "" if state.outcome is Outcome.SKIPPED else state.reason
    return "; ".join(part for part in (f"{state.current or 'unknown'}{was}{wanted}", reason) if part)


def _lines(states: Sequence[KnobState], text: Text) -> Iterator[tuple[str, KnobState, str]]:
    """Label, state and text; where there is nothing to do about several values of a knob that are alike, one line."""
    for (knob, outcome, said, hint), members in groupby(
        states, key=lambda state: (state.knob, state.outcome, text(state), state.hint)
    ):
        alike = list(members)
        if outcome is None or hint or len(alike) == 1:
            yield from ((state.label, state, said) for state in alike)
        else:
            yield f"{knob}[{alike[0].place}…{alike[-1].place}]", alike[0], said


def _with_reason(text: str, state: KnobState) -> str:
    return "; ".join(part for part in (text, state.reason) if part)


def _counted(states: Sequence[KnobState]) -> str:
    """ "2 applied, 1 denied"."""
    counts = Counter(state.outcome for state in states)
    words = [f"{counts[outcome]} {_named(outcome)}" for outcome in (None, *Outcome) if counts[outcome]]
    return ", ".join(words) or "nothing is tuned"


def _named(outcome: Outcome | None) -> str:
    return _PENDING if outcome is None else outcome.value


def _as_object(state: KnobState) -> dict[str, object]:
    """With every field, also those that say nothing."""
    return {field: getattr(state, field) for field in state.__struct_fields__}
