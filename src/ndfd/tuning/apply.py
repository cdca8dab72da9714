"""Writes what a plan says, one value after the other, each only when the journal has it on the disk."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ndfd.model.tuning import KnobState, Outcome, Plan, TuningReport
from ndfd.platform import KernelFiles
from ndfd.tuning.catalogue import KNOBS
from ndfd.tuning.journal import Journal
from ndfd.tuning.knob import Knob
from ndfd.tuning.outcomes import of_error
from ndfd.tuning.plan import ended
from ndfd.tuning.steps import Step, nothing


def apply(kernel: KernelFiles, plan: Plan, journal: Journal, reached: Callable[[Step], None] = nothing) -> TuningReport:
    """Does just what the plan says. A value that is not as it was when it was planned is left alone."""
    states = tuple(
        state if state.outcome is not None else _applied(kernel, KNOBS[state.knob], state, journal, reached)
        for state in plan.knobs
    )
    return TuningReport("apply", states)


def _applied(
    kernel: KernelFiles, knob: Knob, state: KnobState, journal: Journal, reached: Callable[[Step], None]
) -> KnobState:
    path, old, new = state.path, state.current, state.wanted
    assert old is not None
    assert new is not None
    change = journal.changes.get(path)
    try:
        found = knob.read(kernel, path)
    except OSError as error:
        return _refused(knob, state, error)
    if found != old or (None if change is None else change.original) != state.original:
        state = msgspec.structs.replace(state, current=found)
        return ended(knob, state, Outcome.FOREIGN, "it was changed while this ran")
    reached(Step.READ)
    try:
        journal.begin(knob.name, path, old, new)
    except OSError as error:
        return ended(knob, state, Outcome.FAILED, f"not written, for the journal cannot be: {error.strerror}")
    reached(Step.JOURNALLED)
    refusal: OSError | None = None
    try:
        knob.write(kernel, path, new)
    except OSError as error:
        refusal = error
    reached(Step.WRITTEN)
    return _read_back(kernel, knob, state, journal, refusal, reached)


def _read_back(
    kernel: KernelFiles,
    knob: Knob,
    state: KnobState,
    journal: Journal,
    refusal: OSError | None,
    reached: Callable[[Step], None],
) -> KnobState:
    change = journal.changes[state.path]
    try:
        actual = knob.read(kernel, state.path)
    except OSError as error:
        return _refused(knob, state, refusal or error)
    state = msgspec.structs.replace(state, current=actual)
    try:
        if knob.same(actual, change.original):
            journal.end(state.path)
        elif not any(knob.same(actual, each) for each in change.ours):
            journal.seen(state.path, actual)
    except OSError as error:
        reason = f"{actual} is there, and the journal cannot be written: {error.strerror}"
        return ended(knob, state, Outcome.FAILED, reason)
    reached(Step.VERIFIED)
    restores = state.wanted == change.original
    state = msgspec.structs.replace(state, original=None if knob.same(actual, change.original) else change.original)
    if refusal is not None:
        return _refused(knob, state, refusal)
    assert state.wanted is not None
    if not knob.same(actual, state.wanted):
        return ended(knob, state, Outcome.DRIFTED, f"{state.wanted} was written, and {actual} is there")
    return ended(knob, state, Outcome.RESTORED if restores else Outcome.APPLIED, state.reason)


def _refused(knob: Knob, state: KnobState, error: OSError) -> KnobState:
    return ended(knob, state, of_error(error), error.strerror or str(error))
