"""What came of the tuning of a process: one state for each of its knobs."""

from __future__ import annotations

import msgspec

from ndfd.model.tuning import Outcome


class TuningState(msgspec.Struct, frozen=True, omit_defaults=True):
    """A knob of one process, or of all that have it from one."""

    #: "scheduling", "open_files", …
    knob: str
    #: Whose: "daemon"; "zygote", from which the workers of a pool have it; "worker".
    process: str
    outcome: Outcome
    #: What holds, where that could be read.
    value: str | None = None
    #: What it should be, where that is something else.
    wanted: str | None = None
    #: Why it is not as it should be, or is let be.
    reason: str | None = None
    #: Name of the pool; absent for the daemon.
    pool: str | None = None
