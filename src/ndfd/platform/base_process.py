"""What a process can set for itself, and what it can learn of itself.

Knobs are read and written as text, and a write tells what came of it. `LinuxProcess`, `DarwinProcess` and
`WindowsProcess` derive from `Process` and have those of their systems. No call ever fails for its caller: what does not
work is an outcome.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from ndfd.model.process_tuning import TuningState
from ndfd.model.topology import Cpu, ProcessLimits, Topology
from ndfd.model.tuning import Outcome

#: By what the system says; anything else is `Outcome.FAILED`.
_OUTCOMES = {
    errno.EPERM: Outcome.DENIED,
    errno.EACCES: Outcome.DENIED,
    errno.EROFS: Outcome.READ_ONLY,
    errno.ENOSYS: Outcome.UNSUPPORTED,
    errno.ENOENT: Outcome.UNSUPPORTED,
    errno.EOPNOTSUPP: Outcome.UNSUPPORTED,
}


class Knob(NamedTuple):
    """One thing to set: `read` gives what `write` took. Both raise OSError, or ValueError for what is no value."""

    read: Callable[[], str]
    write: Callable[[str], None]
    #: What a process needs that is refused it.
    needs: str = ""


class Process:
    """The portable answers: no knobs."""

    #: For messages.
    name = "this system"

    def knobs(self) -> Mapping[str, Knob]:
        """Those of the thread that calls, and of the processes that it starts from then on."""
        return {}

    def apply(self, knob: str, wanted: str, process: str) -> TuningState:
        """Sets a knob of this process and looks whether it is so; `process` is what it is called in the state."""
        found = self.knobs().get(knob)
        if found is None:
            reason = f"{self.name} has no such knob that ndfd knows"
            return TuningState(knob, process, Outcome.UNSUPPORTED, wanted=wanted, reason=reason)
        try:
            if found.read() == wanted:
                return TuningState(knob, process, Outcome.SAME, wanted)
        except (OSError, ValueError) as error:
            return _failed(found, TuningState(knob, process, Outcome.FAILED, wanted=wanted), error)
        try:
            found.write(wanted)
            failure = None
        except (OSError, ValueError) as error:
            failure = error
        try:
            now = found.read()
        except (OSError, ValueError) as error:
            return _failed(found, TuningState(knob, process, Outcome.FAILED, wanted=wanted), failure or error)
        # What counts is what is so: a filter around a container may answer 0 and do nothing.
        if now == wanted:
            return TuningState(knob, process, Outcome.APPLIED, now)
        state = TuningState(knob, process, Outcome.FAILED, now, wanted, f"it is {now} after it was set")
        return state if failure is None else _failed(found, state, failure)

    def read(self, knob: str) -> str | None:
        """What holds for this process; None where that cannot be said."""
        found = self.knobs().get(knob)
        try:
            return None if found is None else found.read()
        except (OSError, ValueError):
            return None

    def open_descriptors(self) -> int | None:
        """How many descriptors this process has open; None where that cannot be said."""
        try:
            # The one that reads it is in it.
            return sum(1 for _ in Path("/dev/fd").iterdir()) - 1
        except OSError:
            return None

    def adopts_orphans(self) -> bool:
        """Whether processes become children of this one when their own parents end."""
        return False

    def ended_children(self) -> frozenset[int]:
        """The children that have ended and that nobody has waited for, by their numbers."""
        return frozenset()

    def topology(self, root: Path = Path("/")) -> Topology:
        """The processors that this process may run on. `root` is where proc and sys are looked for."""
        return Topology(tuple(Cpu(number, core=number) for number in range(os.cpu_count() or 1)))

    def limits(self, root: Path = Path("/")) -> ProcessLimits:
        """What this process has and may have."""
        return ProcessLimits()


def _failed(knob: Knob, state: TuningState, error: OSError | ValueError) -> TuningState:
    number = error.errno if isinstance(error, OSError) else None
    outcome = _OUTCOMES.get(number or 0, Outcome.FAILED)
    reason = str(error) if number is None else os.strerror(number)
    if outcome is Outcome.DENIED and knob.needs:
        reason = f"{reason}: it needs {knob.needs}"
    return TuningState(state.knob, state.process, outcome, state.value, state.wanted, reason)
