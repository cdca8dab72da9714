"""A fake system, a journal, and what a user would do with them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

from ndfd.config.tuning_settings import TuningSettings
from ndfd.model.tuning import KnobState, Plan, Preset, TuningReport
from ndfd.platform import KernelFiles
from ndfd.tuning.apply import apply
from ndfd.tuning.catalogue import KNOBS
from ndfd.tuning.journal import Change, Journal, read_changes
from ndfd.tuning.plan import boot_id, make_plan
from ndfd.tuning.revert import revert
from ndfd.tuning.steps import Step, nothing
from ndfd.tuning.wishes import wishes

#: A value of each knob that the fake system does not have at first.
WANTED: Mapping[str, object] = {
    "transparent_hugepages": "madvise",
    "transparent_hugepage_defrag": "defer+madvise",
    "nr_hugepages": 64,
    "overcommit_memory": 1,
    "swappiness": 10,
    "max_map_count": 262144,
    "zone_reclaim_mode": 0,
    "rmem_max": 8_388_608,
    "wmem_max": 8_388_609,
    "somaxconn": 8192,
    "inotify_max_user_instances": 1024,
    "inotify_max_user_watches": 524288,
    "inotify_max_queued_events": 65536,
    "cpu_energy_preference": "performance",
    "cpu_governor": "performance",
    "irq_affinity": frozenset({0, 1}),
}
#: Another one, for somebody else.
FOREIGN: Mapping[str, str] = {
    "transparent_hugepages": "[always] madvise never",
    "transparent_hugepage_defrag": "always defer defer+madvise madvise [never]",
    "overcommit_memory": "2",
    "rmem_max": "77777",
    "wmem_max": "77777",
    "cpu_energy_preference": "power",
    "cpu_governor": "schedutil",
    "irq_affinity": "3",
}


def settings(**knobs: object) -> TuningSettings:
    """Those that leave all other knobs alone."""
    return TuningSettings.model_construct(**{"preset": "off", **knobs})


class Scene:
    """One start of a machine."""

    def __init__(self, kernel: KernelFiles, journal: Path, reached: Callable[[Step], None] = nothing) -> None:
        self.kernel = kernel
        self.journal = journal
        self.reached = reached
        self._times = itertools.count(1000.0)

    def plan(self, tuning: TuningSettings, only: tuple[str, ...] = (), pinned: frozenset[int] = frozenset()) -> Plan:
        """What is to be written."""
        wanted = wishes(tuning, pinned, self.kernel)
        return make_plan(self.kernel, Preset(tuning.preset), wanted, self.changes(), only)

    def changes(self) -> Mapping[str, Change]:
        """What is tuned."""
        return read_changes(self.journal, boot_id(self.kernel))

    def open(self) -> Journal:
        """The journal."""
        return Journal(self.journal, boot_id(self.kernel), lambda: next(self._times), self.reached)

    def apply(self, tuning: TuningSettings, only: tuple[str, ...] = ()) -> TuningReport:
        """Writes it."""
        plan = self.plan(tuning, only)
        with self.open() as journal:
            return apply(self.kernel, plan, journal, self.reached)

    def revert(self, *only: str, forget: bool = False) -> TuningReport:
        """Puts it back."""
        with self.open() as journal:
            return revert(self.kernel, journal, only, forget=forget, reached=self.reached)


def first_path(kernel: KernelFiles, knob: str) -> str:
    """Of the knob's values."""
    return KNOBS[knob].paths(kernel)[0]


def state_at(report: TuningReport | Plan, path: str) -> KnobState:
    """What is said of one value."""
    (state,) = [state for state in report.knobs if state.path == path]
    return state
