"""Knobs of a process: what comes of a write, for every way in which it can go; and each real one in a process."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from ndfd.model.process_tuning import TuningState
from ndfd.model.tuning import Outcome
from ndfd.platform import linux_sandbox
from ndfd.platform.base_process import Knob, Process
from ndfd.platform.darwin_process import DarwinProcess

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
NOBODY = 65534
# linux/capability.h
SYS_NICE, SYS_RESOURCE = 23, 24


class Scene(Process):
    """A system with one knob that fails as it is told."""

    name = "Testix"

    def __init__(self, value: str, *, fails: Exception | None = None, unreadable: int = 0, takes: str | None = None):
        self.value = value
        self.writes: list[str] = []
        self._fails = fails
        self._unreadable = unreadable
        self._takes = takes

    def knobs(self) -> Mapping[str, Knob]:
        return {"knob": Knob(self._read, self._write, "CAP_TEST")}

    def _read(self) -> str:
        if self._unreadable:
            raise OSError(self._unreadable, os.strerror(self._unreadable))
        return self.value

    def _write(self, value: str) -> None:
        self.writes.append(value)
        if self._fails is not None:
            raise self._fails
        self.value = value if self._takes is None else self._takes


def test_what_is_read_back_as_wanted_is_applied_and_what_is_so_already_is_not_written() -> None:
    scene = Scene("1")
    assert scene.apply("knob", "2", "daemon") == TuningState("knob", "daemon", Outcome.APPLIED, "2")
    assert scene.apply("knob", "2", "daemon") == TuningState("knob", "daemon", Outcome.SAME, "2")
    assert scene.writes == ["2"]


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (errno.EPERM, Outcome.DENIED),
        (errno.EACCES, Outcome.DENIED),
        (errno.EROFS, Outcome.READ_ONLY),
        (errno.ENOSYS, Outcome.UNSUPPORTED),
        (errno.ENOENT, Outcome.UNSUPPORTED),
        (errno.EOPNOTSUPP, Outcome.UNSUPPORTED),
        (errno.EINVAL, Outcome.FAILED),
        (errno.EIO, Outcome.FAILED),
    ],
)
def test_each_error_is_an_outcome_with_its_reason_and_what_is_needed(number: int, outcome: Outcome) -> None:
    for scene in (Scene("1", fails=OSError(number, os.strerror(number))), Scene("1", unreadable=number)):
        state = scene.apply("knob", "2", "worker")
        assert (state.outcome, state.wanted) == (outcome, "2")
        assert state.reason is not None
        assert state.reason.startswith(os.strerror(number))
        assert state.reason.endswith("it needs CAP_TEST") == (outcome is Outcome.DENIED)
    # It is still told what holds, where that can be read.
    assert Scene("1", fails=OSError(number, "")).apply("knob", "2", "worker").value == "1"


def test_a_write_that_is_taken_and_does_nothing_is_a_failure() -> None:
    for takes in ("1", "3"):
        state = Scene("1", takes=takes).apply("knob", "2", "daemon")
        assert (state.outcome, state.value, state.wanted) == (Outcome.FAILED, takes, "2")
    # And one that is refused, but is so afterwards, is none.
    refused = Scene("2", fails=OSError(errno.EPERM, ""))
    assert refused.apply("knob", "2", "daemon").outcome is Outcome.SAME


def test_what_is_no_value_and_what_is_no_knob_is_said() -> None:
    state = Scene("1", fails=ValueError("no number")).apply("knob", "x", "daemon")
    assert (state.outcome, state.reason) == (Outcome.FAILED, "no number")
    state = Scene("1").apply("other", "x", "daemon")
    assert (state.outcome, state.reason) == (Outcome.UNSUPPORTED, "Testix has no such knob that ndfd knows")
    assert Scene("1").read("other") is None
    assert Scene("1", unreadable=errno.EIO).read("knob") is None


@pytest.mark.parametrize("system", [Process(), DarwinProcess()], ids=lambda system: system.name)
def test_a_system_without_a_knob_says_so(system: Process) -> None:
    assert system.apply("oom_score", "1", "zygote").outcome is Outcome.UNSUPPORTED
    assert system.topology().cpus


#: In a process of its own, as another user where one is named: what comes of each, then what the next process reads.
PROGRAM = """
import json, os, subprocess, sys
from ndfd import platform
from ndfd.platform import linux_sandbox
values = json.loads(sys.argv[1])
if sys.argv[2] != "0":
    os.setuid(int(sys.argv[2]))
    # As after an exec; or /proc/self would still be root's.
    linux_sandbox.prctl(4, 1)
states = [platform.process.apply(knob, value, "daemon") for knob, value in values]
pid = os.fork()
if pid:
    sys.exit(os.waitpid(pid, 0)[1])
print(json.dumps([[s.outcome, s.value, s.reason, platform.process.read(s.knob)] for s in states]))
"""

FIRST_CPU = str(min(os.sched_getaffinity(0))) if sys.platform == "linux" else "0"
FREE = (
    ("affinity", FIRST_CPU),
    ("huge_pages", "disabled"),
    ("huge_pages", "allowed"),
    ("io_priority", "best-effort 7"),
    ("io_priority", "idle"),
    ("memory_policy", "prefer 0"),
    ("oom_score", "777"),
    ("open_files", "512"),
    ("scheduling", "batch"),
    ("scheduling", "idle"),
    ("timer_slack", "123456"),
)


def ran(values: tuple[tuple[str, str], ...], uid: int = 0) -> list[list[str | None]]:
    command = [sys.executable, "-c", PROGRAM, json.dumps(values), str(uid)]
    answer: list[list[str | None]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return answer


@linux
@pytest.mark.parametrize("uid", [0, pytest.param(NOBODY, marks=root)])
@pytest.mark.parametrize(("knob", "value"), FREE)
def test_anyone_may_set_it_and_what_is_forked_has_it_too(knob: str, value: str, uid: int) -> None:
    ((outcome, now, reason, child),) = ran(((knob, value),), uid)
    if (knob, value) == ("huge_pages", "allowed"):
        assert (outcome, now) == ("same", "allowed")
        return
    if knob == "memory_policy" and outcome == "unsupported":
        pytest.skip("a kernel without memory nodes")
    assert (outcome, now, reason, child) == ("applied", value, None, value)


@linux
@root
@pytest.mark.parametrize(
    ("knob", "value", "right"),
    [
        ("scheduling", "fifo 1", SYS_NICE),
        ("scheduling", "rr 2 reset-on-fork", SYS_NICE),
        ("io_priority", "realtime 4", SYS_NICE),
        ("oom_score", "-5", SYS_RESOURCE),
    ],
)
def test_what_needs_a_right_is_denied_with_its_name_and_all_is_as_it_was(knob: str, value: str, right: int) -> None:
    ((outcome, now, reason, child),) = ran(((knob, value),), NOBODY)
    assert outcome == "denied"
    assert now == child != value
    assert reason is not None
    assert "it needs CAP_SYS_" in reason
    if not linux_sandbox.capabilities() >> right & 1:
        # Root of a container may lack it.
        return
    ((outcome, now, _, child),) = ran(((knob, value),))
    assert (outcome, now) == ("applied", value)
    assert child == ("other" if "reset" in value else value)


@linux
def test_what_is_no_value_is_refused_and_harms_nothing() -> None:
    values = (("affinity", "9999"), ("affinity", "x"), ("scheduling", "best"), ("io_priority", "most"))
    more = (("oom_score", "5000"), ("timer_slack", "soon"), ("memory_policy", "prefer 999"), ("open_files", "-7"))
    for outcome, _, reason, _ in ran((*values, *more)):
        assert outcome == "failed"
        assert reason


@linux
def test_memory_is_locked_here_and_not_in_what_is_started() -> None:
    ((outcome, now, _, child),) = ran((("memory_lock", "locked"),))
    assert (outcome, now) == ("applied", "locked") or outcome in ("denied", "failed")
    assert child == "unlocked"
    assert [row[1] for row in ran((("memory_lock", "locked"), ("memory_lock", "unlocked")))][1] == "unlocked"
