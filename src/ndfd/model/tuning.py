"""What tuning plans, does and finds, one value of the system after the other."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import msgspec


class Outcome(enum.StrEnum):
    """What became of one value. From well to grave: the last of several is what they come to together."""

    #: It was as wanted already.
    SAME = "same"
    APPLIED = "applied"
    #: It is again what it was before it was tuned.
    RESTORED = "restored"
    #: Nothing is to be done; the reason says why.
    SKIPPED = "skipped"
    #: This kernel or this machine has no such value.
    UNSUPPORTED = "unsupported"
    #: This process may not read or write it.
    DENIED = "denied"
    READ_ONLY = "read_only"
    #: Somebody else has changed it since it was tuned, or since it was planned: it was left alone.
    FOREIGN = "foreign"
    #: It was taken, and another one is there.
    DRIFTED = "drifted"
    #: It was refused.
    FAILED = "failed"


#: What there is nothing to mend about.
FINE = frozenset({Outcome.SAME, Outcome.APPLIED, Outcome.RESTORED, Outcome.SKIPPED})


class Writer(enum.StrEnum):
    """Who has to write a value."""

    #: `ndfd tune apply`, run by root.
    ROOT = "root"
    #: The daemon or a worker, for itself.
    PROCESS = "process"


class Preset(enum.StrEnum):
    """What is wanted of the knobs of which nobody said anything."""

    OFF = "off"
    #: What is harmless and measured to help.
    SAFE = "safe"
    THROUGHPUT = "throughput"
    LATENCY = "latency"


class Wish(msgspec.Struct, frozen=True):
    """What a knob shall be."""

    #: As it is written; None: no value, for the reason given.
    value: str | None
    #: Who wants it: "preset safe", "[tuning] swappiness".
    source: str
    #: More of it is as good.
    at_least: bool = False
    #: Named by the operator, who is told when it cannot be had; what a preset names may be missing.
    explicit: bool = False
    #: Why there is no value.
    reason: str = ""


class KnobState(msgspec.Struct, frozen=True, omit_defaults=True):
    """One value of the system: most knobs have one, some have one for each CPU or interrupt."""

    knob: str
    #: Where it is; for what is no file, its name with its system call.
    path: str
    #: What became of it; None in a plan: it is to be written.
    outcome: Outcome | None = None
    #: As it is written, without the line's end; None: it could not be read.
    current: str | None = None
    #: None: it is left as it is.
    wanted: str | None = None
    #: Before it was tuned; None: it is not tuned.
    original: str | None = None
    #: Which of the knob's values; empty where there is one only.
    place: str = ""
    #: Who wants it: "preset safe", "[tuning] swappiness".
    source: str = ""
    writer: Writer = Writer.ROOT
    #: What a shell of the writer's would do, byte for byte what `ndfd tune apply` does; None: nothing is written.
    command: str | None = None
    #: Why it became that, and what to do about it.
    reason: str = ""
    hint: str = ""
    #: Whether the outcome is one that a command ends well with.
    fine: bool = True

    @property
    def label(self) -> str:
        """ "swappiness", "irq_affinity[24]"."""
        return f"{self.knob}[{self.place}]" if self.place else self.knob


class Plan(msgspec.Struct, frozen=True):
    """What `apply` does."""

    preset: Preset
    #: In the order in which they are written.
    knobs: tuple[KnobState, ...]

    def writes(self) -> tuple[KnobState, ...]:
        """Those that are to be written."""
        return tuple(state for state in self.knobs if state.outcome is None)


class TuningReport(msgspec.Struct, frozen=True):
    """What a command of `ndfd tune` did or found."""

    #: "status", "apply", "verify", "revert".
    action: str
    knobs: tuple[KnobState, ...]

    def worst(self) -> Outcome | None:
        """The gravest outcome that is not fine; None: all is well."""
        return gravest(self.knobs)


def gravest(states: Iterable[KnobState]) -> Outcome | None:
    """Of those that are not fine; None where all are."""
    ranks = list(Outcome)
    bad = [state.outcome for state in states if state.outcome is not None and not state.fine]
    return max(bad, key=ranks.index, default=None)
