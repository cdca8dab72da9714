"""A process that is killed at any step of any knob leaves every value to be put back, or told of as somebody else's."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ndfd.model.tuning import Outcome
from ndfd.testing import FakeKernel
from ndfd.tuning.catalogue import KNOBS
from ndfd.tuning.steps import Step
from tests.tuning.scene import FOREIGN, WANTED, Scene, first_path, settings

#: A fork of a process with threads, which others' tests may have left; the child does nothing but this.
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")

APPLYING = (Step.READ, Step.LINE_WRITTEN, Step.JOURNALLED, Step.WRITTEN, Step.VERIFIED)
REVERTING = (Step.RESTORING, Step.PUT_BACK, Step.LINE_WRITTEN, Step.RESTORED)


def killed_at(step: Step, root: Path, journal: Path, act: Callable[[Scene], object], nth: int = 1) -> bool:
    """Whether a process that did so came to the step for the nth time, where SIGKILL ended it."""
    pid = os.fork()
    if pid == 0:
        left = nth

        def reached(at: Step) -> None:
            nonlocal left
            left -= at is step
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            act(Scene(FakeKernel(root), journal, reached))
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("knob", KNOBS)
@pytest.mark.parametrize("step", APPLYING)
def test_killed_while_it_applies(scene: Scene, kernel: FakeKernel, knob: str, step: Step) -> None:
    before = kernel.snapshot()
    wanted = settings(**{knob: WANTED[knob]})
    places = len(KNOBS[knob].paths(kernel))
    # Of a knob with several values: in the first, in the middle, in the last.
    for nth in range(1, places + 1):
        assert killed_at(step, kernel.root, scene.journal, lambda scene: scene.apply(wanted), nth)
        assert {state.outcome for state in scene.revert().knobs} <= {Outcome.RESTORED, Outcome.SAME}
        assert kernel.snapshot() == before
        assert scene.changes() == {}


@pytest.mark.parametrize("knob", KNOBS)
@pytest.mark.parametrize("step", REVERTING)
def test_killed_while_it_reverts(scene: Scene, kernel: FakeKernel, knob: str, step: Step) -> None:
    before = kernel.snapshot()
    wanted = settings(**{knob: WANTED[knob]})
    for nth in range(1, len(KNOBS[knob].paths(kernel)) + 1):
        assert scene.apply(wanted).worst() is None
        assert killed_at(step, kernel.root, scene.journal, lambda scene: scene.revert(), nth)
        assert {state.outcome for state in scene.revert().knobs} <= {Outcome.RESTORED, Outcome.SAME}
        assert kernel.snapshot() == before
        assert scene.changes() == {}


@pytest.mark.parametrize("step", APPLYING)
def test_killed_again_and_again_while_all_knobs_are_applied(scene: Scene, kernel: FakeKernel, step: Step) -> None:
    before = kernel.snapshot()
    wanted = settings(**WANTED)
    times = 0
    # Each comes one value further than the one before, whose values are as wanted already.
    while killed_at(step, kernel.root, scene.journal, lambda scene: scene.apply(wanted), 3):
        times += 1
        assert times < 50
        if step in (Step.READ, Step.LINE_WRITTEN, Step.JOURNALLED) and times > 20:
            break
    assert times > 5
    while killed_at(Step.PUT_BACK, kernel.root, scene.journal, lambda scene: scene.revert(), 3):
        pass
    assert scene.revert().worst() is None
    assert kernel.snapshot() == before


@pytest.mark.parametrize("knob", KNOBS)
@pytest.mark.parametrize("step", [Step.JOURNALLED, Step.WRITTEN])
def test_killed_and_then_set_by_somebody_else(scene: Scene, kernel: FakeKernel, knob: str, step: Step) -> None:
    wanted = settings(**{knob: WANTED[knob]})
    assert killed_at(step, kernel.root, scene.journal, lambda scene: scene.apply(wanted))
    path = first_path(kernel, knob)
    kernel.set(path, FOREIGN.get(knob, "77") + "\n")
    theirs = kernel.read(path)
    (state,) = scene.revert().knobs
    assert state.outcome is Outcome.FOREIGN
    assert kernel.read(path) == theirs


def test_killed_before_a_second_value_replaces_the_first(scene: Scene, kernel: FakeKernel) -> None:
    before = kernel.snapshot()
    scene.apply(settings(swappiness=10))
    for step in APPLYING:
        assert killed_at(step, kernel.root, scene.journal, lambda scene: scene.apply(settings(swappiness=1)))
        scene.apply(settings(swappiness=10))
    assert [state.outcome for state in scene.revert().knobs] == [Outcome.RESTORED]
    assert kernel.snapshot() == before


def test_killed_with_a_torn_line(scene: Scene, kernel: FakeKernel) -> None:
    before = kernel.snapshot()
    scene.apply(settings(swappiness=10, somaxconn=8192))
    whole = scene.journal.read_bytes()
    last = whole[:-1].rfind(b"\n") + 1
    for end in range(last, len(whole)):
        scene.journal.write_bytes(whole[:end])
        # What the torn line tells of was not written yet.
        kernel.set(first_path(kernel, "somaxconn"), "4096\n")
        assert [state.path for state in scene.revert().knobs] == [first_path(kernel, "swappiness")]
        assert kernel.snapshot() == before
        kernel.set(first_path(kernel, "swappiness"), "10\n")
