"""What is wanted, what of it is planned, and that just this is done."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ndfd.config.tuning_settings import AWAY, KEEP, OF_PRESET, TuningSettings
from ndfd.model.tuning import Outcome, Preset, Writer
from ndfd.platform import KernelFiles
from ndfd.testing import FakeKernel
from ndfd.tuning.catalogue import KNOBS
from ndfd.tuning.plan import status, verify
from ndfd.tuning.wishes import PRESETS
from tests.tuning.scene import WANTED, Scene, first_path, settings, state_at


def test_each_knob_has_its_key_and_each_key_its_knob() -> None:
    keys = set(TuningSettings.model_fields) - {"preset", "journal"}
    assert keys == set(KNOBS)
    assert {field.default for name, field in TuningSettings.model_fields.items() if name in keys} == {OF_PRESET}


def test_presets_name_knobs_and_values_that_these_take() -> None:
    assert set(PRESETS) == set(Preset)
    for values in PRESETS.values():
        for name, (value, _) in values.items():
            assert value == AWAY or KNOBS[name].takes(value)


def test_a_plan_changes_nothing_not_even_the_journal(scene: Scene, kernel: FakeKernel) -> None:
    before = kernel.snapshot()
    scene.plan(settings(**WANTED))
    assert kernel.snapshot() == before
    assert kernel.written == []
    assert not scene.journal.parent.exists()


def test_what_a_plan_says_is_what_is_written_byte_for_byte(tmp_path: Path, scene: Scene, kernel: FakeKernel) -> None:
    plan = scene.plan(settings(**WANTED))
    assert len(plan.writes()) == len(plan.knobs) == 13 + 2 * 4 + 3
    scene.apply(settings(**WANTED))
    assert [path for path, _ in kernel.written] == [state.path for state in plan.knobs]
    # The commands of a plan for a tree of plain files, run by a shell, against what apply writes to another.
    by_hand, by_apply = tmp_path / "by hand", tmp_path / "by apply"
    for root in (by_hand, by_apply):
        root.mkdir()
        FakeKernel(root)
    for state in Scene(KernelFiles(by_hand), tmp_path / "one" / "journal").plan(settings(**WANTED)).knobs:
        assert state.command is not None
        subprocess.run([shutil.which("sh") or "sh", "-c", state.command], check=True)
    Scene(KernelFiles(by_apply), tmp_path / "other" / "journal").apply(settings(**WANTED))
    assert FakeKernel(by_hand).snapshot() == FakeKernel(by_apply).snapshot()
    assert FakeKernel(by_apply).read("/proc/sys/vm/swappiness") == dict(kernel.written)["/proc/sys/vm/swappiness"]


def test_a_plan_says_who_writes_what_for_whom(scene: Scene, kernel: FakeKernel) -> None:
    plan = scene.plan(settings(swappiness=10))
    state = state_at(plan, first_path(kernel, "swappiness"))
    assert (state.current, state.wanted, state.outcome) == ("60", "10", None)
    assert (state.writer, state.source) == (Writer.ROOT, "[tuning] swappiness")
    assert re.fullmatch(r"echo 10 > .*/proc/sys/vm/swappiness", state.command or "")
    other = state_at(plan, first_path(kernel, "somaxconn"))
    assert (other.outcome, other.reason) == (Outcome.SKIPPED, "the preset off leaves it as it is")


def test_all_is_applied_verified_and_put_back(scene: Scene, kernel: FakeKernel) -> None:
    before = kernel.snapshot()
    wanted = settings(**WANTED)
    assert {state.outcome for state in scene.apply(wanted).knobs} == {Outcome.APPLIED}
    assert {state.outcome for state in verify(scene.plan(wanted)).knobs} == {Outcome.SAME}
    assert {state.outcome for state in scene.apply(wanted).knobs} == {Outcome.SAME}
    assert all(state.original is not None for state in status(scene.plan(wanted)).knobs)
    report = scene.revert()
    assert {state.outcome for state in report.knobs} == {Outcome.RESTORED}
    # The last that was written first.
    assert report.knobs[0].knob == "irq_affinity"
    assert kernel.snapshot() == before
    assert scene.revert().knobs == ()


def test_only_what_is_named_is_touched(scene: Scene, kernel: FakeKernel) -> None:
    before = kernel.snapshot()
    scene.apply(settings(**WANTED), ("swappiness", "somaxconn"))
    changed = {path for path, text in kernel.snapshot().items() if before[path] != text}
    assert changed == {first_path(kernel, "swappiness"), first_path(kernel, "somaxconn")}
    scene.revert("swappiness")
    assert set(scene.changes()) == {first_path(kernel, "somaxconn")}


def test_what_was_set_back_by_hand_has_drifted(scene: Scene, kernel: FakeKernel) -> None:
    wanted, path = settings(swappiness=10), first_path(kernel, "swappiness")
    assert state_at(verify(scene.plan(wanted)), path).reason == "it is not applied"
    scene.apply(wanted)
    kernel.set(path, "60\n")
    state = state_at(verify(scene.plan(wanted)), path)
    assert (state.outcome, state.current, state.wanted) == (Outcome.DRIFTED, "60", "10")
    assert state.reason == "it was applied, and is so no more"
    assert [each.outcome for each in scene.revert().knobs] == [Outcome.SAME]


def test_what_is_no_longer_wanted_is_put_back_by_the_next_apply(scene: Scene, kernel: FakeKernel) -> None:
    before = kernel.snapshot()
    scene.apply(settings(swappiness=10, somaxconn=8192))
    report = scene.apply(settings(somaxconn=8192, swappiness=KEEP))
    assert state_at(report, first_path(kernel, "swappiness")).outcome is Outcome.RESTORED
    assert set(scene.changes()) == {first_path(kernel, "somaxconn")}
    scene.apply(settings())
    assert kernel.snapshot() == before
    assert scene.changes() == {}


def test_a_wanted_value_that_changes_keeps_the_first_one_to_put_back(scene: Scene, kernel: FakeKernel) -> None:
    before = kernel.snapshot()
    for value in (10, 20, 30, 60, 5):
        assert scene.apply(settings(swappiness=value)).worst() is None
    scene.revert()
    assert kernel.snapshot() == before


def test_what_changes_between_the_plan_and_its_writing_is_left_alone(scene: Scene, kernel: FakeKernel) -> None:
    from ndfd.tuning.apply import apply

    plan = scene.plan(settings(swappiness=10))
    path = first_path(kernel, "swappiness")
    kernel.set(path, "33\n")
    with scene.open() as journal:
        report = apply(kernel, plan, journal)
    assert state_at(report, path).outcome is Outcome.FOREIGN
    assert kernel.read(path) == "33\n"


def test_of_huge_pages_what_there_are_is_put_back_as_well(scene: Scene, kernel: FakeKernel) -> None:
    report = scene.apply(settings(nr_hugepages=4000))
    state = state_at(report, first_path(kernel, "nr_hugepages"))
    assert (state.outcome, state.current, state.original) == (Outcome.DRIFTED, "600", "0")
    assert "memory" in state.hint
    assert [each.outcome for each in scene.revert().knobs] == [Outcome.RESTORED]
    assert kernel.read(state.path) == "0\n"


@pytest.mark.parametrize(("now", "outcome"), [("never", None), ("madvise", Outcome.SAME), ("always", Outcome.SAME)])
def test_the_latency_preset_takes_huge_pages_from_nobody(
    scene: Scene, kernel: FakeKernel, now: str, outcome: Outcome | None
) -> None:
    path = first_path(kernel, "transparent_hugepages")
    kernel.write(path, f"{now}\n")
    plan = scene.plan(settings(preset="latency", **dict.fromkeys(KNOBS, "preset")))
    assert state_at(plan, path).outcome is outcome


def test_the_safe_preset_leaves_the_system_as_it_is(scene: Scene) -> None:
    assert {state.outcome for state in scene.plan(TuningSettings()).knobs} == {Outcome.SKIPPED}


@pytest.mark.parametrize(
    ("pinned", "wanted"), [({2, 3}, "0-1"), (set(), None), ({0, 1, 2, 3}, None), ({1}, "0,2-3"), ({7}, "0-3")]
)
def test_interrupts_go_to_the_cpus_that_workers_are_not_bound_to(
    scene: Scene, kernel: FakeKernel, pinned: set[int], wanted: str | None
) -> None:
    plan = scene.plan(settings(preset="latency"), ("irq_affinity",), frozenset(pinned))
    assert {state.wanted for state in plan.knobs} == {wanted}
    if wanted is None:
        assert {state.outcome for state in plan.knobs} == {Outcome.SKIPPED}


def test_an_interrupt_that_goes_elsewhere_already_is_left_there(scene: Scene, kernel: FakeKernel) -> None:
    kernel.write("/proc/irq/24/smp_affinity_list", "1\n")
    plan = scene.plan(settings(preset="latency"), ("irq_affinity",), frozenset({2, 3}))
    assert [(state.place, state.outcome) for state in plan.knobs] == [("9", None), ("24", Outcome.SAME), ("25", None)]


def test_values_of_one_knob_come_in_the_order_of_their_numbers(scene: Scene, kernel: FakeKernel) -> None:
    assert [state.label for state in scene.plan(settings(), ("irq_affinity",)).knobs] == [
        "irq_affinity[9]",
        "irq_affinity[24]",
        "irq_affinity[25]",
    ]
    assert KNOBS["cpu_governor"].place(first_path(kernel, "cpu_governor")) == "policy0"


@pytest.mark.parametrize(
    "path",
    ["/proc/irq//smp_affinity_list", "/proc/irq/../irq/9/smp_affinity_list", "/proc/irq/٣/smp_affinity_list", "/x"],
)
def test_a_knob_owns_nothing_but_its_values(path: str) -> None:
    assert not KNOBS["irq_affinity"].owns(path)
