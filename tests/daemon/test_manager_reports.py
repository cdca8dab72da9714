"""What a manager hears: in which order, and when nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from ndfd.daemon.manager_reports import Figures, ManagerReports
from ndfd.errors import ConfigError, SocketError
from ndfd.platform import ServiceManager


class Recorder(ServiceManager):
    """A manager that notes what it hears."""

    present = True

    def __init__(self, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self.heard: list[str] = []

    def ready(self, status: str) -> None:
        self.heard.append(f"ready {status}")

    def status(self, text: str) -> None:
        self.heard.append(text)

    def reloading(self) -> None:
        self.heard.append("reloading")

    def stopping(self, status: str) -> None:
        self.heard.append(f"stopping {status}")

    def watchdog(self) -> None:
        self.heard.append("watchdog")

    def extend_timeout(self, seconds: float) -> None:
        self.heard.append(f"{seconds:g} s more")

    def failed(self, number: int, status: str) -> None:
        self.heard.append(f"failed {number} {status}")


def figures(**values: int) -> Figures:
    """Of a daemon that has done nothing, but for these."""
    return Figures(**({"workers": 2, "converting": 0, "queued": 0, "succeeded": 0, "failed": 0, "jobs": 0} | values))


IDLE = "Serving: 2 workers, 0 converting, 0 queued; 0 documents done, 0 failed"


async def opened(manager: ServiceManager, now: Figures | None = None) -> ManagerReports:
    reports = ManagerReports(manager)
    reports.open(lambda: now or figures(), lambda: None)
    return reports


def test_a_line_tells_what_goes_on_in_numbers_that_can_be_read() -> None:
    async def body() -> None:
        manager = Recorder()
        busy = Figures(1, 3, 1012, 1204, 3, 20000, ("no worker can be started: no fork",))
        (await opened(manager, busy)).ready()
        line = (
            "ready Serving: 1 worker, 3 converting, 1,012 queued; 1,204 documents done, 3 failed; "
            "20,000 durable jobs to do; no worker can be started: no fork"
        )
        assert manager.heard == [line]

    asyncio.run(body())


def test_a_loop_that_was_held_up_once_is_not_taken_for_one_that_is_stuck(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> list[str]:
        manager = Recorder(watchdog_s=0.03)
        seen: Iterator[str | None] = iter(["late", None, "hung", "hung", "hung", None])
        over = asyncio.Event()

        def stuck() -> str | None:
            with contextlib.suppress(StopIteration):
                return next(seen)
            over.set()
            return None

        reports = ManagerReports(manager)
        reports.open(figures, stuck)
        reports.ready()
        await over.wait()
        reports.close()
        return manager.heard

    heard = asyncio.run(body())
    assert heard[:3] == ["watchdog", f"ready {IDLE}", "watchdog"]
    assert heard[3:9] == ["watchdog", IDLE, "watchdog", IDLE, "Stuck: hung", "Stuck: hung"]
    assert heard[9:11] == ["watchdog", IDLE]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_a_step_of_the_start_that_goes_on_for_long_is_not_told_each_time() -> None:
    manager = Recorder()
    reports = ManagerReports(manager)
    for _ in range(1000):
        reports.starting("checking the job store")
    reports.starting("migrating the job store")
    assert manager.heard == [
        "Starting: checking the job store",
        "120 s more",
        "Starting: migrating the job store",
        "120 s more",
    ]


def test_a_reload_that_the_end_of_the_daemon_overtakes_makes_it_not_ready_again() -> None:
    async def body() -> None:
        manager = Recorder()
        reports = await opened(manager)
        reports.ready()
        with contextlib.suppress(asyncio.CancelledError), reports.reloading():
            reports.stopping(5.0)
            raise asyncio.CancelledError
        reports.stopping(0.0)
        reports.changed()
        reports.close()
        assert manager.heard == [
            f"ready {IDLE}",
            "reloading",
            "30 s more",
            "stopping Draining: 0 conversions under way, 5 s left",
            "35 s more",
            "Draining: 0 conversions under way, 0 s left",
            "30 s more",
        ]

    asyncio.run(body())


def test_why_a_reload_was_refused_is_told_until_one_is_not() -> None:
    async def body() -> None:
        manager = Recorder()
        reports = await opened(manager)
        with pytest.raises(ConfigError), reports.reloading():
            raise ConfigError("no such key: " + "x" * 2000)
        with reports.reloading():
            pass
        reports.close()
        refused, used = (line for line in manager.heard if line.startswith("ready"))
        assert refused.startswith("ready Reload refused: no such key: xxx")
        assert refused.endswith(f"…, the old configuration serves on. {IDLE}")
        assert len(refused) < 500
        assert used == f"ready {IDLE}"

    asyncio.run(body())


def test_an_error_is_told_with_the_systems_number_behind_it() -> None:
    manager = Recorder()
    reports = ManagerReports(manager)
    error = SocketError("cannot listen", hint="look")
    error.__cause__ = FileNotFoundError(2, "No such file")
    reports.failed(error)
    reports.failed(ValueError("wrong"))
    assert manager.heard == ["failed 2 Failed: cannot listen; look", "failed 0 Failed: wrong"]


def test_nothing_wakes_a_daemon_that_nobody_manages() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()

        def refuse(*arguments: object) -> None:
            raise AssertionError(f"a timer is set: {arguments}")

        loop.call_later = refuse  # type: ignore[method-assign, assignment]
        reports = await opened(ServiceManager())
        with reports.starting_workers():
            pass
        reports.ready()
        reports.changed()
        with reports.reloading():
            pass
        reports.stopping(30.0)
        reports.close()

    asyncio.run(body())


def test_an_idle_daemon_without_a_watchdog_has_no_timer() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        reports = await opened(Recorder())
        reports.ready()
        timers: list[float] = []
        loop.call_later = lambda delay_s, *rest: timers.append(delay_s)  # type: ignore[method-assign, assignment, func-returns-value]
        assert timers == []
        reports.changed()
        reports.changed()
        assert timers == [3.0]

    asyncio.run(body())
