"""Knobs of the system, set and put back by what `ndfd tune` does it by, with its journal."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from ndfd.model.tuning import FINE, Preset, Wish
from ndfd.platform import KernelFiles
from ndfd.tuning.apply import apply
from ndfd.tuning.journal import Journal, read_changes
from ndfd.tuning.plan import boot_id, make_plan
from ndfd.tuning.revert import revert

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Unsettable(Exception):
    """The knob cannot be set here: its message says why."""


class SystemKnobs:
    """Whatever ends the block, each value is then what it was before; after a SIGKILL `ndfd tune revert` does that."""

    def __init__(self, kernel: KernelFiles, journal: Path) -> None:
        self._kernel = kernel
        self._path = journal
        self._boot = boot_id(kernel)
        #: By knob, of those that this block has set.
        self._values: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._values:
            # A second Ctrl-C would leave the system half put back.
            before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDS}
            try:
                self.put_back()
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    def set(self, knob: str, value: str) -> None:
        """As `ndfd tune apply --only KNOB` would; `Unsettable` when it is not so afterwards."""
        if self._values.get(knob) == value:
            return
        if knob not in self._values and self._is_tuned(knob):
            raise Unsettable("it is tuned already: `ndfd tune revert` first")
        with Journal(self._path, self._boot, time.time) as journal:
            wish = Wish(value, "scripts/bench tuning", explicit=True)
            plan = make_plan(self._kernel, Preset.OFF, {knob: wish}, journal.changes, [knob])
            # From here on it may be another value.
            self._values[knob] = value
            for state in apply(self._kernel, plan, journal).knobs:
                if state.outcome not in FINE:
                    raise Unsettable(f"{state.outcome}: {state.reason}")

    def put_back(self) -> None:
        """All, as `ndfd tune revert`; SystemExit, with what is to be done, when that is not possible."""
        if not self._values:
            return
        with Journal(self._path, self._boot, time.time) as journal:
            states = revert(self._kernel, journal, tuple(self._values)).knobs
        self._values.clear()
        if bad := [f"{state.label} ({state.outcome}: {state.reason})" for state in states if not state.fine]:
            raise SystemExit(f"scripts/bench: not put back: {', '.join(bad)}; see `ndfd tune status` and `revert`")

    def _is_tuned(self, knob: str) -> bool:
        changes = read_changes(self._path, self._boot).values()
        return any(change.knob == knob for change in changes)
