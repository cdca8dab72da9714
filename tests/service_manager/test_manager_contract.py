"""What a service may expect of its manager: of `ndfd.testing`'s, and of a real systemd, by the same tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.service_manager.managed import Bed, Managed, under_manager, under_systemd

_BED = os.environ.get("NDFD_SYSTEMD_BED", "")

#: Gives a service that runs, with this many descriptors kept and this watchdog.
Run = Callable[..., AbstractContextManager[Managed]]

_LISTENERS = [["ndfd", "listens on ndfd.sock"], ["ndfd", "listens on http.sock"]]


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    if not _BED:
        pytest.skip("NDFD_SYSTEMD_BED names no program that boots a systemd (tests/tuning/systemd_bed.py)")
    if os.geteuid() != 0:
        pytest.skip("only root may boot a systemd")
    with Bed(_BED, f"ndfd-contract-{os.getpid()}") as bed:
        yield bed


@pytest.fixture(params=["ndfd.testing", pytest.param("systemd", marks=pytest.mark.system)])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    def with_manager(store_max: int = 64, watchdog_s: float | None = None) -> AbstractContextManager[Managed]:
        if request.param == "systemd":
            return under_systemd(request.getfixturevalue("bed"), store_max, watchdog_s)
        return under_manager(tmp_path, store_max, watchdog_s)

    return with_manager


@pytest.fixture
def managed(run: Run) -> Iterator[Managed]:
    with run() as managed:
        yield managed


class TestStart:
    def test_a_service_gets_its_sockets_in_order_and_nothing_else(self, managed: Managed) -> None:
        report = managed.ask("report")
        assert report["passed"] == _LISTENERS
        assert report["inherited"] == [True, True]
        assert report["others"] == []
        assert report["environment"].get("FDSTORE", "64") == "64"
        assert "WATCHDOG_USEC" not in report["environment"]
        assert managed.shown("ActiveState") == "active"
        assert managed.shown("StatusText") == "ready"

    def test_a_service_whose_watchdog_is_on_is_told_so(self, run: Run) -> None:
        with run(watchdog_s=7.5) as managed:
            report = managed.ask("report")
            assert report["environment"]["WATCHDOG_USEC"] == "7500000"
            assert report["environment"]["WATCHDOG_PID"] == str(report["pid"])

    def test_only_the_main_process_is_heard(self, managed: Managed) -> None:
        managed.ask("status", "of the main process")
        managed.ask("status_of_child", "of another one")
        assert managed.ask("barrier")
        assert managed.shown("StatusText") == "of the main process"


class TestStore:
    def test_what_is_stored_comes_after_the_sockets_the_newest_first(self, managed: Managed) -> None:
        for number in range(3):
            managed.ask("keep_text", f"name {number}", f"text {number}")
        managed.manage("restart")
        assert managed.ask("report")["passed"] == [
            *_LISTENERS,
            ["name 2", "text 2"],
            ["name 1", "text 1"],
            ["name 0", "text 0"],
        ]

    def test_it_is_kept_over_restarts_and_sigkill(self, managed: Managed) -> None:
        managed.ask("keep_both_ends", "one", "other")
        managed.ask("keep_text", "memory", "remembered")
        kept = [("memory", "remembered"), ("other", "connection"), ("one", "connection")]
        managed.manage("restart")
        assert managed.passed() == kept
        managed.ask("say", "one", "written before SIGKILL")
        managed.kill()
        assert managed.passed() == kept
        assert managed.ask("hear", "other") == "written before SIGKILL"
        managed.manage("restart")
        assert managed.passed() == kept
        assert managed.shown("NRestarts") in ("0", "1")  # systemd counts from the last start that was asked for

    def test_it_is_kept_when_it_is_told_right_before_the_end(self, managed: Managed) -> None:
        managed.ask("keep_text", "last", "breath")
        managed.kill()
        assert managed.passed() == [("last", "breath")]

    def test_it_is_kept_over_a_failure(self, managed: Managed) -> None:
        managed.ask("keep_text", "name", "text")
        managed.ask("exit", 3)
        managed.wait_for("NRestarts", "1")
        assert managed.passed() == [("name", "text")]

    def test_it_is_dropped_by_a_stop(self, managed: Managed) -> None:
        managed.ask("keep_text", "name", "text")
        managed.manage("stop")
        assert managed.shown("ActiveState") == "inactive"
        managed.manage("start")
        assert managed.passed() == []

    def test_it_is_dropped_when_it_hangs_up(self, managed: Managed) -> None:
        for name in ("stays", "hangs up"):
            managed.ask("keep_one_end", name)
        managed.ask("keep_both_ends", "one", "other")
        managed.ask("hang_up", "hangs up")
        assert managed.ask("barrier")
        # The end that the service has is gone with it: then `stays` hangs up as well, unless it is not looked at.
        managed.ask("keep_one_end", "not polled", "\nFDPOLL=0")
        managed.manage("restart")
        names = [name for name, _ in managed.passed()]
        assert "hangs up" not in names
        assert set(names) - {"stays"} == {"not polled", "other", "one"}

    def test_a_name_is_removed_with_all_that_has_it(self, managed: Managed) -> None:
        for name in ("gone", "there", "gone"):
            managed.ask("keep_text", name, name)
        managed.ask("drop", "gone")
        managed.manage("restart")
        assert managed.passed() == [("there", "there")]

    def test_one_open_file_is_kept_once(self, managed: Managed) -> None:
        managed.ask("keep_twice", "name", "text")
        managed.manage("restart")
        # The file is open twice.
        assert managed.passed() == [("name", "text")] * 2

    def test_the_nameless_and_the_unnameable_are_stored(self, managed: Managed) -> None:
        managed.ask("keep_text", None, "no name")
        managed.ask("keep_text", "a:colon", "no list could hold it")
        managed.manage("restart")
        assert managed.passed() == [("stored", "no list could hold it"), ("stored", "no name")]

    def test_no_more_is_kept_than_may_be(self, run: Run) -> None:
        with run(store_max=2) as managed:
            for text in ("first", "second", "third"):
                managed.ask("keep_text", "name", text)
            managed.manage("restart")
            assert managed.passed() == [("name", "second"), ("name", "first")]

    def test_nothing_is_kept_for_a_service_that_may_store_nothing(self, run: Run) -> None:
        with run(store_max=0) as managed:
            assert "FDSTORE" not in managed.ask("report")["environment"]
            managed.ask("keep_text", "name", "text")
            managed.manage("restart")
            assert managed.passed() == []

    def test_a_barrier_is_answered_when_all_before_it_is_done(self, managed: Managed) -> None:
        managed.ask("status", "before the barrier")
        assert managed.ask("barrier")
        assert managed.shown("StatusText") == "before the barrier"


class TestEnds:
    def test_a_killed_service_is_started_again(self, managed: Managed) -> None:
        before = managed.ask("report")["pid"]
        managed.kill()
        assert managed.ask("report")["pid"] != before
        assert managed.shown("NRestarts") == "1"

    def test_a_service_that_ends_in_order_is_let_be(self, managed: Managed) -> None:
        managed.ask("exit", 0)
        managed.wait_for("ActiveState", "inactive")
        assert (managed.shown("Result"), managed.shown("NRestarts")) == ("success", "0")

    def test_a_service_that_cannot_be_configured_is_let_be(self, managed: Managed) -> None:
        managed.ask("exit", 78)
        managed.wait_for("ActiveState", "failed")
        assert (managed.shown("Result"), managed.shown("NRestarts")) == ("exit-code", "0")

    def test_a_service_whose_watchdog_is_silent_is_ended_and_started_again(self, run: Run) -> None:
        with run(watchdog_s=0.3) as managed:
            before = managed.ask("report")["pid"]
            managed.ask("keep_text", "name", "text")
            managed.ask("starve")
            managed.wait_for("NRestarts", "1")
            assert managed.ask("report")["pid"] != before
            assert managed.passed() == [("name", "text")]

    def test_a_service_that_feeds_its_watchdog_is_let_be(self, run: Run) -> None:
        with run(watchdog_s=0.3) as managed:
            before = managed.ask("report")["pid"]
            # Three times are as long as it may be silent.
            managed.ask("feed", 7)
            assert managed.ask("report")["pid"] == before

    def test_nothing_of_a_service_outlives_a_stop(self, managed: Managed) -> None:
        pid = managed.ask("leave_child")
        assert managed.is_alive(pid)
        managed.manage("stop")
        assert not managed.is_alive(pid)

    def test_nothing_of_a_killed_service_meets_the_next_one(self, managed: Managed) -> None:
        pid = managed.ask("leave_child")
        managed.kill()
        managed.ask("report")
        assert not managed.is_alive(pid)

    def test_a_service_that_ignores_a_stop_is_killed(self, managed: Managed) -> None:
        managed.ask("starve")
        managed.manage("stop")
        assert (managed.shown("ActiveState"), managed.shown("Result")) == ("failed", "timeout")


class TestReload:
    def test_a_reload_is_done_when_the_service_is_ready_again(self, managed: Managed) -> None:
        if not managed.reloads:
            pytest.skip("this systemd has no Type=notify-reload: it came with 253")
        before = managed.ask("report")["pid"]
        managed.manage("reload")
        assert (managed.shown("StatusText"), managed.shown("ActiveState")) == ("reloaded", "active")
        assert managed.ask("report")["pid"] == before
