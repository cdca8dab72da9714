"""The journal: who may write it, what of it is believed, and what happens when it cannot be kept."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from ndfd.errors import Busy, NotPermitted, TuningError
from ndfd.model.tuning import Outcome
from ndfd.platform.base_storage import Storage
from ndfd.testing import FakeKernel
from ndfd.tuning.steps import Step
from tests.tuning.scene import Scene, first_path, settings, state_at


def lines(journal: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in journal.read_text().splitlines()]


def test_a_line_is_on_the_disk_before_the_value_is_written(scene: Scene, kernel: FakeKernel) -> None:
    seen = []

    def reached(step: Step) -> None:
        if step is Step.JOURNALLED:
            seen.append((lines(scene.journal)[-1], kernel.read(first_path(kernel, "swappiness"))))

    scene.reached = reached
    scene.apply(settings(swappiness=10))
    ((line, value),) = seen
    assert value == "60\n"
    assert {name: line[name] for name in ("line", "knob", "path", "old", "new", "uid", "pid", "at")} == {
        "line": "begun",
        "knob": "swappiness",
        "path": "/proc/sys/vm/swappiness",
        "old": "60",
        "new": "10",
        "uid": os.geteuid(),
        "pid": os.getpid(),
        "at": 1000.0,
    }
    assert line["boot"] == kernel.read("/proc/sys/kernel/random/boot_id").strip()


def test_everyone_may_read_it_and_only_its_owner_write_it(scene: Scene) -> None:
    scene.apply(settings(swappiness=10))
    assert scene.journal.stat().st_mode & 0o777 == 0o644
    assert scene.journal.parent.stat().st_mode & 0o022 == 0


def test_when_nothing_is_open_it_begins_anew(scene: Scene) -> None:
    for _ in range(3):
        scene.apply(settings(swappiness=10))
        scene.revert()
    scene.apply(settings(swappiness=10))
    assert len(lines(scene.journal)) == 1


def test_a_restart_of_the_machine_ends_every_change(scene: Scene, kernel: FakeKernel) -> None:
    scene.apply(settings(swappiness=10))
    kernel.set("/proc/sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555\n")
    # The machine's own sysctl.d now has the same value, or another: neither is ours.
    assert scene.changes() == {}
    assert scene.revert().knobs == ()
    assert kernel.read(first_path(kernel, "swappiness")) == "10\n"
    scene.apply(settings(swappiness=5))
    scene.revert()
    assert kernel.read(first_path(kernel, "swappiness")) == "10\n"


@pytest.mark.parametrize(
    "damage",
    [
        b"nonsense\n",
        b'{"line":"begun"}\n',
        b"\xff\xfe\n",
        b'{"line":"ended","path":"/never/begun","at":1.0}\n',
        b"\n",
    ],
)
def test_a_damaged_line_is_named_and_nothing_is_changed(scene: Scene, kernel: FakeKernel, damage: bytes) -> None:
    scene.apply(settings(swappiness=10))
    whole = scene.journal.read_bytes()
    scene.journal.write_bytes(damage + whole)
    for act in (scene.revert, scene.changes, lambda: scene.apply(settings(swappiness=5))):
        with pytest.raises(TuningError, match=r"journal:1 is no line"):
            act()
    assert scene.journal.read_bytes() == damage + whole
    assert kernel.read(first_path(kernel, "swappiness")) == "10\n"


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_what_others_may_write_is_not_believed(scene: Scene, kernel: FakeKernel, mode: int) -> None:
    scene.apply(settings(swappiness=10))
    for place in (scene.journal, scene.journal.parent):
        was = place.stat().st_mode
        place.chmod(mode | 0o111)
        with pytest.raises(TuningError, match="cannot be trusted"):
            scene.revert()
        place.chmod(was)
    assert [state.outcome for state in scene.revert().knobs] == [Outcome.RESTORED]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_is_another_users_is_not_believed(scene: Scene) -> None:
    scene.apply(settings(swappiness=10))
    os.chown(scene.journal, 65534, 65534)
    with pytest.raises(TuningError, match="cannot be trusted"):
        scene.revert()


def test_a_link_or_a_pipe_in_its_place_is_refused(scene: Scene, tmp_path: Path) -> None:
    scene.apply(settings(swappiness=10))
    elsewhere = tmp_path / "elsewhere"
    scene.journal.rename(elsewhere)
    scene.journal.symlink_to(elsewhere)
    with pytest.raises(TuningError):
        scene.revert()
    scene.journal.unlink()
    os.mkfifo(scene.journal, 0o600)
    with pytest.raises(TuningError, match="no file"):
        scene.revert()


@pytest.mark.parametrize(
    ("field", "value"),
    [("path", "/etc/passwd"), ("path", "/proc/sys/kernel/core_pattern"), ("knob", "core_pattern"), ("old", "|/bin/sh")],
)
def test_nothing_but_a_knobs_value_is_ever_written(scene: Scene, kernel: FakeKernel, field: str, value: str) -> None:
    scene.apply(settings(swappiness=10))
    (line,) = lines(scene.journal)
    scene.journal.write_text(json.dumps({**line, field: value}) + "\n")
    before = len(kernel.written)
    (state,) = scene.revert().knobs
    assert (state.outcome, state.reason) == (Outcome.FAILED, "the journal names no value of a knob")
    assert state.hint
    assert len(kernel.written) == before


def test_two_at_a_time_are_refused(scene: Scene) -> None:
    with scene.open(), pytest.raises(Busy, match="another"):
        scene.apply(settings(swappiness=10))
    assert scene.apply(settings(swappiness=10)).worst() is None


class FailingStorage(Storage):
    """A disk that takes so many syncs."""

    def __init__(self, syncs: int) -> None:
        self.left = syncs

    def sync(self, fd: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(fd)


def test_without_a_journal_no_value_is_written(
    scene: Scene, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kernel.snapshot()
    # Two are for the new file, one for each value that is applied.
    monkeypatch.setattr("ndfd.tuning.journal.storage", FailingStorage(3))
    report = scene.apply(settings(overcommit_memory=1, swappiness=10, somaxconn=8192))
    assert state_at(report, first_path(kernel, "overcommit_memory")).outcome is Outcome.APPLIED
    for knob in ("swappiness", "somaxconn"):
        state = state_at(report, first_path(kernel, knob))
        assert state.outcome is Outcome.FAILED
        assert state.reason == "not written, for the journal cannot be: Input/output error"
        assert kernel.read(state.path) == before[state.path]
    monkeypatch.undo()
    assert scene.revert().worst() is None
    assert kernel.snapshot() == before


def test_what_is_put_back_while_the_journal_cannot_be_written_is_found_so_the_next_time(
    scene: Scene, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kernel.snapshot()
    scene.apply(settings(swappiness=10, somaxconn=8192))
    monkeypatch.setattr("ndfd.tuning.journal.storage", FailingStorage(0))
    report = scene.revert()
    assert {state.outcome for state in report.knobs} == {Outcome.RESTORED}
    assert all("the journal cannot be written" in state.reason for state in report.knobs)
    assert kernel.snapshot() == before
    monkeypatch.undo()
    assert {state.outcome for state in scene.revert().knobs} == {Outcome.SAME}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_who_may_not_write_it_is_told_to_be_root(scene: Scene) -> None:
    scene.journal.parent.mkdir(mode=0o555)
    with pytest.raises(NotPermitted, match="nothing was changed"):
        scene.apply(settings(swappiness=10))


def test_a_place_that_cannot_be_is_refused(scene: Scene) -> None:
    scene.journal.parent.write_text("a file")
    with pytest.raises(TuningError, match="nothing was changed"):
        scene.apply(settings(swappiness=10))
