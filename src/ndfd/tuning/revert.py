"""Puts every tuned value back, unless somebody else has changed it since."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from ndfd.model.tuning import KnobState, Outcome, TuningReport
from ndfd.platform import KernelFiles
from ndfd.tuning.catalogue import KNOBS
from ndfd.tuning.journal import Change, Journal
from ndfd.tuning.knob import Knob
from ndfd.tuning.outcomes import of_error
from ndfd.tuning.plan import ended, is_ours
from ndfd.tuning.steps import Step, nothing


def revert(
    kernel: KernelFiles,
    journal: Journal,
    only: Collection[str] = (),
    *,
    forget: bool = False,
    reached: Callable[[Step], None] = nothing,
) -> TuningReport:
    """The values of the knobs that `only` names, or all, the last that was written first.

    With `forget` a value that somebody else has set is left as it is for good, instead of being told of each time.
    """
    changes = [change for change in journal.changes.values() if not only or change.knob in only]
    states = [_restored(kernel, change, journal, forget, reached) for change in reversed(changes)]
    return TuningReport("revert", tuple(states))


def _restored(
    kernel: KernelFiles, change: Change, journal: Journal, forget: bool, reached: Callable[[Step], None]
) -> KnobState:
    state = KnobState(change.knob, change.path, wanted=change.original, original=change.original)
    knob = KNOBS.get(change.knob)
    # The journal is a file: what it says is written nowhere but where a knob is, and no other than a knob's value.
    if knob is None or not knob.owns(change.path) or not knob.takes(change.original):
        hint = "see who wrote to the journal, and put the value back by hand"
        reason = "the journal names no value of a knob"
        return msgspec.structs.replace(state, outcome=Outcome.FAILED, reason=reason, hint=hint, fine=False)
    state = msgspec.structs.replace(state, place=knob.place(change.path))
    try:
        current = knob.read(kernel, change.path)
        if knob.same(current, change.original):
            return _closed(knob, state, current, journal, Outcome.SAME, "it is again what it was")
        if is_ours(knob, change, current):
            reached(Step.RESTORING)
            knob.write(kernel, change.path, change.original)
            reached(Step.PUT_BACK)
            current = knob.read(kernel, change.path)
            return _read_back(knob, change, state, current, journal, reached)
    except OSError as error:
        return ended(knob, state, of_error(error), error.strerror or str(error))
    if forget:
        return _closed(knob, state, current, journal, Outcome.SKIPPED, f"left at {current}, and forgotten")
    state = msgspec.structs.replace(state, current=current)
    return ended(knob, state, Outcome.FOREIGN, f"somebody else set it to {current} since it was tuned")


def _read_back(
    knob: Knob, change: Change, state: KnobState, current: str, journal: Journal, reached: Callable[[Step], None]
) -> KnobState:
    if knob.same(current, change.original):
        state = _closed(knob, state, current, journal, Outcome.RESTORED)
        reached(Step.RESTORED)
        return state
    reason = f"{change.original} was written, and {current} is there"
    if not is_ours(knob, change, current):
        try:
            journal.seen(change.path, current)
        except OSError as error:
            reason += f"; the journal cannot be written: {error.strerror}"
    return ended(knob, msgspec.structs.replace(state, current=current), Outcome.DRIFTED, reason)


def _closed(
    knob: Knob, state: KnobState, current: str, journal: Journal, outcome: Outcome, reason: str = ""
) -> KnobState:
    """The value is dealt with. Where the journal cannot be told so, the next one who looks finds the same."""
    state = msgspec.structs.replace(state, current=current)
    try:
        journal.end(state.path)
    except OSError as error:
        said = f"{reason}; " if reason else ""
        return ended(knob, state, outcome, f"{said}the journal cannot be written: {error.strerror}")
    return ended(knob, state, outcome, reason)
