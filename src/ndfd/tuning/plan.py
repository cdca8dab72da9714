"""What has to be written for the wishes to hold. Looks, and changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import msgspec

from ndfd.model.tuning import FINE, KnobState, Outcome, Plan, Preset, TuningReport, Wish, Writer
from ndfd.platform import KernelFiles
from ndfd.tuning.catalogue import KNOBS
from ndfd.tuning.journal import Change
from ndfd.tuning.knob import Knob
from ndfd.tuning.outcomes import of_error

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id(kernel: KernelFiles) -> str:
    """Another one each time the machine is started (random(4)); empty where the system does not say."""
    try:
        return kernel.read(_BOOT_ID).strip()
    except OSError:
        return ""


def make_plan(
    kernel: KernelFiles,
    preset: Preset,
    wishes: Mapping[str, Wish],
    changes: Mapping[str, Change],
    only: Collection[str] = (),
) -> Plan:
    """For the knobs that `only` names, or all. `changes` are the open ones, by path.

    What is tuned and no longer wanted is put back. What somebody else has changed since is left alone.
    """
    states = (
        state
        for name, knob in KNOBS.items()
        if not only or name in only
        for state in _states(kernel, knob, wishes[name], changes)
    )
    return Plan(preset, tuple(states))


def verify(plan: Plan) -> TuningReport:
    """Whether all is as the plan wants it: what it would write is not."""
    return TuningReport("verify", tuple(map(_verified, plan.knobs)))


def status(plan: Plan) -> TuningReport:
    """What is there, judged by nobody."""
    return TuningReport("status", tuple(msgspec.structs.replace(state, command=None) for state in plan.knobs))


def ended(knob: Knob, state: KnobState, outcome: Outcome, reason: str = "", *, explicit: bool = True) -> KnobState:
    """The state with what became of it. What is not `explicit` may be missing."""
    fine = outcome in FINE or (outcome is Outcome.UNSUPPORTED and not explicit)
    hint = "" if fine else knob.hint(outcome)
    return msgspec.structs.replace(state, outcome=outcome, reason=reason, hint=hint, fine=fine)


def _verified(state: KnobState) -> KnobState:
    if state.outcome is not None:
        return state
    reason = "it is not applied" if state.original is None else "it was applied, and is so no more"
    return ended(KNOBS[state.knob], state, Outcome.DRIFTED, reason)


def _states(kernel: KernelFiles, knob: Knob, wish: Wish, changes: Mapping[str, Change]) -> Iterator[KnobState]:
    paths = knob.paths(kernel)
    for path in paths:
        yield _state(kernel, knob, path, wish, changes.get(path))
    if not paths:
        nothing = KnobState(knob.name, kernel.shown(knob.path), wanted=wish.value, source=wish.source)
        if wish.value is None:
            yield ended(knob, nothing, Outcome.SKIPPED, wish.reason)
        else:
            yield ended(knob, nothing, Outcome.UNSUPPORTED, "there is none", explicit=wish.explicit)


def _state(kernel: KernelFiles, knob: Knob, path: str, wish: Wish, change: Change | None) -> KnobState:
    state = KnobState(
        knob.name,
        path,
        wanted=wish.value,
        original=None if change is None else change.original,
        place=knob.place(path),
        source=wish.source,
        writer=Writer.ROOT,
    )
    try:
        current = knob.read(kernel, path)
    except OSError as error:
        if wish.value is None and change is None:
            return ended(knob, state, Outcome.SKIPPED, wish.reason)
        return ended(knob, state, of_error(error), error.strerror or str(error), explicit=wish.explicit)
    state = msgspec.structs.replace(state, current=current)
    if change is not None and not is_ours(knob, change, current):
        return ended(knob, state, Outcome.FOREIGN, f"somebody else set it to {current} since it was tuned")
    if wish.value is None and change is None:
        return ended(knob, state, Outcome.SKIPPED, wish.reason)
    if wish.value is None:
        assert change is not None
        value, satisfied = change.original, knob.same(current, change.original)
        state = msgspec.structs.replace(state, wanted=value, reason=f"{wish.reason}: it is put back")
    else:
        value, satisfied = wish.value, knob.satisfied(current, wish)
    if satisfied:
        return ended(knob, state, Outcome.SAME)
    return msgspec.structs.replace(state, command=knob.command(kernel, path, value))


def is_ours(knob: Knob, change: Change, current: str) -> bool:
    """Whether nobody but us, and who was there before, can have set the value."""
    return any(knob.same(current, each) for each in (change.original, *change.ours))
