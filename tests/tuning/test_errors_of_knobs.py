"""Whatever goes wrong with whichever knob has a typed outcome, an exit status and a hint; nothing else is touched."""

from __future__ import annotations

import errno
import os

import pytest

from ndfd.model.tuning import FINE, Outcome, gravest
from ndfd.testing import FakeKernel
from ndfd.tuning.catalogue import KNOBS
from ndfd.tuning.outcomes import EXIT_STATUS, exit_status
from tests.tuning.scene import FOREIGN, WANTED, Scene, first_path, settings, state_at

OUTCOMES = {
    errno.EPERM: (Outcome.DENIED, 77),
    errno.EACCES: (Outcome.DENIED, 77),
    errno.EROFS: (Outcome.READ_ONLY, 73),
    errno.ENOENT: (Outcome.UNSUPPORTED, 69),
    errno.EINVAL: (Outcome.FAILED, 71),
    errno.EIO: (Outcome.FAILED, 71),
}
every_knob = pytest.mark.parametrize("knob", KNOBS)
every_error = pytest.mark.parametrize("number", OUTCOMES, ids=errno.errorcode.__getitem__)


def test_there_is_a_wanted_value_for_every_knob() -> None:
    assert set(WANTED) == set(KNOBS)


@every_knob
@every_error
def test_a_refused_write_is_told_and_leaves_nothing_to_put_back(
    scene: Scene, kernel: FakeKernel, knob: str, number: int
) -> None:
    path = first_path(kernel, knob)
    kernel.refuse_write(path, number)
    before = kernel.snapshot()
    report = scene.apply(settings(**{knob: WANTED[knob]}), (knob,))
    state = state_at(report, path)
    assert (state.outcome, exit_status(gravest(report.knobs))) == OUTCOMES[number]
    assert state.reason == os.strerror(number)
    assert state.hint
    assert "{" not in state.hint
    assert path not in scene.changes()
    # The others of the knob were written, and are put back.
    assert {each.outcome for each in report.knobs} <= {Outcome.APPLIED, state.outcome}
    scene.revert()
    assert kernel.snapshot() == before


@every_knob
@every_error
def test_a_refused_read_is_told_and_nothing_is_written(
    scene: Scene, kernel: FakeKernel, knob: str, number: int
) -> None:
    path = first_path(kernel, knob)
    kernel.refuse_read(path, number)
    report = scene.apply(settings(**{knob: WANTED[knob]}), (knob,))
    state = state_at(report, path)
    assert (state.outcome, exit_status(gravest(report.knobs))) == OUTCOMES[number]
    assert state.hint
    assert path not in dict(kernel.written)


@every_knob
@every_error
def test_a_refused_restoration_is_told_and_can_be_tried_again(
    scene: Scene, kernel: FakeKernel, knob: str, number: int
) -> None:
    before = kernel.snapshot()
    path = first_path(kernel, knob)
    assert scene.apply(settings(**{knob: WANTED[knob]}), (knob,)).worst() is None
    kernel.refuse_write(path, number)
    report = scene.revert()
    assert (state_at(report, path).outcome, exit_status(report.worst())) == OUTCOMES[number]
    assert state_at(report, path).hint
    kernel.allow_writes(path)
    assert [state.outcome for state in scene.revert().knobs] == [Outcome.RESTORED]
    assert kernel.snapshot() == before


@every_knob
def test_a_value_that_this_system_has_not_is_unsupported_when_it_was_asked_for(
    scene: Scene, kernel: FakeKernel, knob: str
) -> None:
    for path in KNOBS[knob].paths(kernel):
        kernel.remove(path)
    report = scene.apply(settings(**{knob: WANTED[knob]}), (knob,))
    assert {state.outcome for state in report.knobs} == {Outcome.UNSUPPORTED}
    assert exit_status(report.worst()) == 69


@every_knob
def test_a_value_that_does_not_last_has_drifted_and_nothing_is_to_put_back(
    scene: Scene, kernel: FakeKernel, knob: str
) -> None:
    path = first_path(kernel, knob)
    kernel.ignore_writes(path)
    report = scene.apply(settings(**{knob: WANTED[knob]}), (knob,))
    state = state_at(report, path)
    assert (state.outcome, exit_status(report.worst())) == (Outcome.DRIFTED, 75)
    assert state.hint
    assert path not in scene.changes()


@every_knob
def test_what_somebody_else_has_set_since_is_left_alone_told_each_time_and_can_be_forgotten(
    scene: Scene, kernel: FakeKernel, knob: str
) -> None:
    wanted = settings(**{knob: WANTED[knob]})
    assert scene.apply(wanted, (knob,)).worst() is None
    path = first_path(kernel, knob)
    kernel.set(path, FOREIGN.get(knob, "77") + "\n")
    theirs = kernel.read(path)
    for report in (scene.apply(wanted, (knob,)), scene.revert(knob), scene.revert(knob)):
        state = state_at(report, path)
        assert (state.outcome, exit_status(report.worst())) == (Outcome.FOREIGN, 65)
        assert knob in state.hint
        assert kernel.read(path) == theirs
    assert scene.revert(knob, forget=True).worst() is None
    assert scene.changes() == {}
    assert kernel.read(path) == theirs
    # From now on theirs is what there was before.
    assert scene.apply(wanted, (knob,)).worst() is None
    scene.revert()
    assert kernel.read(path) == theirs


def test_every_outcome_that_is_not_fine_has_an_exit_status_of_its_own() -> None:
    assert set(EXIT_STATUS) == set(Outcome) - FINE
    assert len(set(EXIT_STATUS.values())) == len(EXIT_STATUS)


def test_what_only_a_preset_wants_may_be_missing(scene: Scene, kernel: FakeKernel) -> None:
    for path in KNOBS["cpu_governor"].paths(kernel):
        kernel.remove(path)
    report = scene.apply(settings(preset="throughput"))
    states = [state for state in report.knobs if state.knob == "cpu_governor"]
    assert {(state.outcome, state.fine) for state in states} == {(Outcome.UNSUPPORTED, True)}
    assert report.worst() is None


def test_the_gravest_outcome_is_that_of_the_command(scene: Scene, kernel: FakeKernel) -> None:
    kernel.refuse_write(first_path(kernel, "swappiness"), errno.EACCES)
    kernel.refuse_write(first_path(kernel, "somaxconn"), errno.EIO)
    kernel.remove(first_path(kernel, "rmem_max"))
    report = scene.apply(settings(swappiness=10, somaxconn=8192, rmem_max=8_388_608, max_map_count=262144))
    assert report.worst() is Outcome.FAILED
    assert kernel.read(first_path(kernel, "max_map_count")) == "262144\n"
