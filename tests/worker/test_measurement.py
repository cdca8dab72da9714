"""The measurement of the confinement, beside a process that loads."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

import psutil
import pytest

from ndfd import platform
from ndfd.errors import NdfdError, NotSupported, WorkerStartFailed
from ndfd.model.sandbox import Sandbox
from ndfd.worker.measurement import Measurement

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines its workers yet")

_LIMITS = platform.WorkerLimits(500_000_000)


def _measured_by(monkeypatch: pytest.MonkeyPatch, act: object) -> Measurement:
    monkeypatch.setattr(platform, "measure_confinement", act)
    return Measurement(_LIMITS)


def test_it_says_what_confines_a_worker() -> None:
    # Of the filter's calls, some are allowed for tests alone in other processes.
    here = platform.measure_confinement(_LIMITS)
    with contextlib.closing(Measurement(_LIMITS)) as measurement:
        assert measurement.result() == here


def test_it_goes_on_beside_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    read_fd, write_fd = os.pipe()

    def wait(limits: platform.WorkerLimits) -> Sandbox:
        return Sandbox(missing=(os.read(read_fd, 10).decode(),))

    with contextlib.closing(_measured_by(monkeypatch, wait)) as measurement:
        os.write(write_fd, b"told later")
        assert measurement.result().missing == ("told later",)
    os.close(read_fd)
    os.close(write_fd)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (NotSupported("no way to confine"), NotSupported, "no way to confine"),
        (ZeroDivisionError("a fault"), NdfdError, "ZeroDivisionError: a fault"),
    ],
)
def test_an_error_of_it_is_raised_where_its_result_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[NdfdError], message: str
) -> None:
    def fail(limits: platform.WorkerLimits) -> Sandbox:
        raise error

    with contextlib.closing(_measured_by(monkeypatch, fail)) as measurement, pytest.raises(kind, match=message):
        measurement.result()


def test_its_death_is_an_error_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(limits: platform.WorkerLimits) -> Sandbox:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    with (
        contextlib.closing(_measured_by(monkeypatch, die)) as measurement,
        pytest.raises(WorkerStartFailed, match="ended with status -9"),
    ):
        measurement.result()


@pytest.mark.parametrize("asked", [False, True])
def test_it_leaves_neither_a_process_nor_a_descriptor(asked: bool) -> None:
    before = psutil.Process().num_fds()
    with contextlib.closing(Measurement(_LIMITS)) as measurement:
        if asked:
            measurement.result()
    assert psutil.Process().children() == []
    assert psutil.Process().num_fds() == before


def test_this_process_keeps_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_ZYGOTE", "1")
    with contextlib.closing(Measurement(_LIMITS)) as measurement:
        measurement.result()
    assert os.environ["OF_THE_ZYGOTE"] == "1"
